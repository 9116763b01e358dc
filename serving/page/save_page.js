// The page writes itself anew, as one file with drawings inside.
//
// A page that was saved holds them as JSON in an element of its own. It has a name, which is that
// of its database too: a page that a friend has sent keeps its words for itself.

const ELEMENT = "kept";
const PROGRAM = "program";

/** @returns {Node} the page as it was opened, to be called before anything is shown on it. */
export function pristinePage() {
  return document.documentElement.cloneNode(true);
}

/**
 * @param {Document|Element} page
 * @returns {{name: string, drawings: object[]}|null} what was saved with it; null for nothing.
 */
export function savedWith(page) {
  const element = page.querySelector(`#${ELEMENT}`);
  if (!element || !element.textContent) {
    return null;
  }
  try {
    const { name, drawings } = JSON.parse(element.textContent);
    return typeof name === "string" && Array.isArray(drawings) ? { name, drawings } : null;
  } catch {
    return null; // somebody has changed the file
  }
}

/**
 * @param {Element} pristine of `pristinePage`.
 * @param {{name: string, drawings: object[]}} kept
 * @returns {string} the text of a page with the drawings inside.
 */
export function pageWith(pristine, kept) {
  const page = pristine.cloneNode(true);
  let element = page.querySelector(`#${ELEMENT}`);
  if (!element) {
    element = document.createElement("script");
    element.type = "application/json";
    element.id = ELEMENT;
    page.querySelector(`#${PROGRAM}`).before(element, "\n");
  }
  // As JSON in a script element must be: nothing in it can end the element.
  element.textContent = JSON.stringify(kept).replace(/</g, "\\u003c");
  return `<!doctype html>\n${page.outerHTML}\n`;
}
