// Drawing by keyboard: arrows move a pen, two at once diagonally; the space bar puts it down and
// lifts it.

const STEP = 1 / 32; // of the board's shorter side
const FINE = 1 / 4; // of a step, with Shift
const DIRECTIONS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class KeyboardPen {
  /**
   * @param {HTMLElement} element to draw on, which can be focused.
   * @param {object} board as the one of `Pen`, with `showCursor(point, isDown)`.
   */
  constructor(element, board) {
    this.element = element;
    this.board = board;
    this.isDown = false;
    this.at = null; // as shares of the board's sides
    this.held = new Set(); // arrow keys
    element.addEventListener("keydown", (event) => this.press(event));
    element.addEventListener("keyup", ({ key }) => this.held.delete(key));
    element.addEventListener("blur", () => this.leave());
  }

  press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.board.canDraw) {
      return;
    }
    if (event.key in DIRECTIONS) {
      this.held.add(event.key);
      this.step(event);
    } else if (event.key === " " && !event.repeat) {
      this.toggle(event);
    } else if (event.key === "Escape" && this.at) {
      this.leave();
    } else {
      return;
    }
    event.preventDefault();
  }

  step(event) {
    const [dx, dy] = [0, 1].map((axis) =>
      [...this.held].reduce((sum, key) => sum + DIRECTIONS[key][axis], 0),
    );
    const { clientWidth, clientHeight } = this.element;
    const pixels = Math.min(clientWidth, clientHeight) * STEP * (event.shiftKey ? FINE : 1);
    const within = (value) => Math.min(Math.max(value, 0), 1);
    this.at = this.at || { x: 0.5, y: 0.5 };
    this.at.x = within(this.at.x + (dx * pixels) / clientWidth);
    this.at.y = within(this.at.y + (dy * pixels) / clientHeight);
    if (this.isDown) {
      this.board.extend([this.point(event)]);
    }
    this.show();
  }

  toggle(event) {
    this.at = this.at || { x: 0.5, y: 0.5 };
    this.isDown = !this.isDown;
    if (this.isDown) {
      this.board.begin([this.point(event)]);
    } else {
      this.board.end();
    }
    this.show();
  }

  /** Lifts the pen and shows it no longer. */
  leave() {
    this.held.clear();
    if (this.isDown) {
      this.isDown = false;
      this.board.end();
    }
    this.at = null;
    this.board.showCursor(null);
  }

  /** Forgets the stroke that is being drawn; the pen stays where it is. */
  release() {
    this.isDown = false;
    if (this.at) {
      this.show();
    }
  }

  show() {
    this.board.showCursor(this.point({ timeStamp: 0 }), this.isDown);
  }

  point({ timeStamp }) {
    const { clientWidth, clientHeight } = this.element;
    return { x: this.at.x * clientWidth, y: this.at.y * clientHeight, time: timeStamp };
  }
}
