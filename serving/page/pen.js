// Pointers on the board become strokes: which of them draws, and where the board ends.

// A hand rests beside the pen: for so long after the pen nothing is drawn by touch.
const PEN_MILLISECONDS = 1000;

export class Pen {
  /**
   * @param {HTMLElement} element to draw on.
   * @param {object} board `canDraw`, and what is told: `begin(points)`, `extend(points)`, `end()`,
   *   and `drop()` where a stroke was none. A point is `{x, y, time}`: CSS pixels from the corner
   *   of the element, milliseconds.
   */
  constructor(element, board) {
    this.element = element;
    this.board = board;
    this.pointer = null; // the event that put down the one that draws
    this.isOutside = false;
    this.penAt = -Infinity;
    element.addEventListener("pointerdown", (event) => this.down(event));
    element.addEventListener("pointermove", (event) => this.move(event));
    for (const kind of ["pointerup", "pointercancel"]) {
      element.addEventListener(kind, (event) => this.up(event));
    }
  }

  /** Forgets the stroke that is being drawn. */
  release() {
    this.pointer = null;
  }

  down(event) {
    const isPen = event.pointerType === "pen";
    if (!this.board.canDraw || event.button !== 0) {
      return;
    }
    if (isPen && this.pointer && this.pointer.pointerType === "touch") {
      this.board.drop(); // the palm was there first
      this.pointer = null;
    }
    const isPalm = event.pointerType === "touch" && event.timeStamp - this.penAt < PEN_MILLISECONDS;
    if (this.pointer || isPalm) {
      return;
    }
    this.element.setPointerCapture(event.pointerId);
    this.pointer = event;
    this.isOutside = false;
    this.notePen(event);
    this.board.begin([this.pointOf(event)]);
  }

  move(event) {
    if (!this.pointer || event.pointerId !== this.pointer.pointerId) {
      return;
    }
    this.notePen(event);
    const events = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
    let inside = [];
    for (const point of (events.length ? events : [event]).map((one) => this.pointOf(one))) {
      const edge = this.clamped(point);
      const isOutside = edge.x !== point.x || edge.y !== point.y;
      if (!isOutside && this.isOutside) {
        this.board.begin([point]);
      } else if (!isOutside || !this.isOutside) {
        inside.push(edge);
      }
      if (isOutside && !this.isOutside) {
        this.board.extend(inside); // to the edge, where the stroke ends
        this.board.end();
        inside = [];
      }
      this.isOutside = isOutside;
    }
    if (inside.length) {
      this.board.extend(inside);
    }
  }

  up(event) {
    if (this.pointer && event.pointerId === this.pointer.pointerId) {
      this.notePen(event);
      this.pointer = null;
      if (!this.isOutside) {
        this.board.end();
      }
    }
  }

  notePen(event) {
    if (event.pointerType === "pen") {
      this.penAt = event.timeStamp;
    }
  }

  pointOf(event) {
    const { left, top } = this.element.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top, time: event.timeStamp };
  }

  clamped({ x, y, time }) {
    const { clientWidth, clientHeight } = this.element;
    return {
      x: Math.min(Math.max(x, 0), clientWidth),
      y: Math.min(Math.max(y, 0), clientHeight),
      time,
    };
  }
}
