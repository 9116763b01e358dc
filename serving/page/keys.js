// Keys that work wherever the focus is: undo, redo, clear.

/** Which command a key is, by what stands on it or where it lies; null for none. */
export function commandOf({ key, code, ctrlKey, metaKey, shiftKey, altKey }) {
  if (altKey) {
    return null;
  }
  if (!(ctrlKey || metaKey)) {
    return key === "Delete" ? "clear" : null;
  }
  const letter = /^[a-z]$/i.test(key) ? key.toLowerCase() : code.replace(/^Key/, "").toLowerCase();
  if (letter === "z") {
    return shiftKey ? "redo" : "undo";
  }
  return letter === "y" ? "redo" : null;
}

/** Whether an element takes keys for text. */
function isTyping(element) {
  return (
    element.tagName === "TEXTAREA" ||
    (element.tagName === "INPUT" && ["text", "search"].includes(element.type))
  );
}

/** Lets keys and buttons of the same names command the board. */
export function addCommands(board, buttons) {
  const run = (command) => {
    const isPossible = {
      undo: board.canUndo,
      redo: board.canRedo,
      clear: board.enabled && board.strokes.length > 0,
    }[command];
    if (isPossible) {
      board[command]();
    }
  };
  for (const [command, button] of Object.entries(buttons)) {
    button.addEventListener("click", () => run(command));
  }
  document.addEventListener("keydown", (event) => {
    const command = isTyping(event.target) ? null : commandOf(event);
    if (command) {
      event.preventDefault();
      run(command);
    }
  });
}

/** Shows which commands are possible. */
export function showCommands(board, { undo, redo, clear }) {
  undo.disabled = !board.canUndo;
  redo.disabled = !board.canRedo;
  clear.disabled = !board.enabled || !board.strokes.length;
}
