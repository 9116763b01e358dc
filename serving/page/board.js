// What is drawn on: mouse, touch and pen become strokes with times.

import { drawStrokes } from "./elements.js";

// Units across, however large it is shown; strokes are in these.
const WIDTH = 800;
const LINE_WIDTH = 5;

export class Board {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {function(boolean): void} onChange told after each change, and whether a stroke is
   *   still being drawn.
   */
  constructor(canvas, onChange) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.onChange = onChange;
    this.strokes = [];
    this.number = 0; // another one after what was drawn is taken back
    this.enabled = true;
    this.overlay = null; // simplified strokes, 0 to 255, to show over the drawing
    this.pointer = null;
    canvas.addEventListener("pointerdown", (event) => this.down(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    for (const kind of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(kind, (event) => this.up(event));
    }
    new ResizeObserver(() => this.fit()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.render());
    this.fit();
  }

  /** What is drawn, as of now. */
  copy() {
    return this.strokes.map((stroke) => stroke.map((row) => [...row]));
  }

  clear() {
    this.replace([]);
  }

  undo() {
    this.replace(this.strokes.slice(0, -1));
  }

  replace(strokes) {
    this.pointer = null;
    this.number += 1;
    this.strokes = strokes;
    this.overlay = null;
    this.render();
    this.onChange(false);
  }

  setEnabled(enabled) {
    this.enabled = enabled;
    this.canvas.classList.toggle("resting", !enabled);
    this.pointer = null;
    this.onChange(false);
  }

  showOverlay(strokes) {
    this.overlay = strokes;
    this.render();
  }

  down(event) {
    if (!this.enabled || this.pointer !== null || event.button !== 0) {
      return; // one finger draws; the palm beside it does not
    }
    this.canvas.setPointerCapture(event.pointerId);
    this.pointer = event.pointerId;
    if (!this.strokes.length) {
      this.startedAt = event.timeStamp;
    }
    this.overlay = null;
    this.strokes.push([[], [], []]);
    this.add([event]);
    this.render();
    this.onChange(true);
  }

  move(event) {
    if (event.pointerId !== this.pointer) {
      return;
    }
    const events = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
    const [xs, ys] = this.strokes[this.strokes.length - 1];
    const first = xs.length - 1;
    this.add(events.length ? events : [event]);
    drawStrokes(this.context, [[xs.slice(first), ys.slice(first)]]);
    this.onChange(true);
  }

  up(event) {
    if (event.pointerId === this.pointer) {
      this.pointer = null;
      this.onChange(false);
    }
  }

  add(events) {
    const box = this.canvas.getBoundingClientRect();
    const scale = WIDTH / box.width;
    const rounded = (value) => Math.round(value * 10) / 10;
    const [xs, ys, times] = this.strokes[this.strokes.length - 1];
    for (const event of events) {
      xs.push(rounded((event.clientX - box.left) * scale));
      ys.push(rounded((event.clientY - box.top) * scale));
      times.push(Math.max(0, Math.round(event.timeStamp - this.startedAt)));
    }
  }

  /** Takes as many pixels as the screen has where the canvas stands. */
  fit() {
    if (!this.canvas.clientWidth) {
      return; // not shown
    }
    const ratio = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(this.canvas.clientWidth * ratio);
    this.canvas.height = Math.round(this.canvas.clientHeight * ratio);
    this.render();
  }

  render() {
    const { canvas, context } = this;
    const colors = getComputedStyle(canvas);
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.scale(canvas.width / WIDTH, canvas.width / WIDTH);
    context.lineCap = context.lineJoin = "round";
    context.lineWidth = LINE_WIDTH;
    context.strokeStyle = colors.color;
    context.globalAlpha = this.overlay ? 0.25 : 1;
    drawStrokes(context, this.strokes);
    context.globalAlpha = 1;
    if (this.overlay) {
      this.renderOverlay(colors.getPropertyValue("--accent"));
    }
  }

  renderOverlay(color) {
    const ends = [0, 1].map((axis) => {
      const values = this.strokes.flatMap((stroke) => stroke[axis]);
      const lower = values.reduce((a, b) => Math.min(a, b));
      return { lower, extent: values.reduce((a, b) => Math.max(a, b)) - lower };
    });
    const scale = Math.max(ends[0].extent, ends[1].extent) / 255;
    const strokes = this.overlay.map((stroke) =>
      stroke.map((values, axis) => values.map((value) => ends[axis].lower + value * scale)),
    );
    const { context } = this;
    context.strokeStyle = context.fillStyle = color;
    context.lineWidth = 2;
    drawStrokes(context, strokes);
    for (const [xs, ys] of strokes) {
      xs.forEach((x, i) => {
        context.beginPath();
        context.arc(x, ys[i], 5, 0, 2 * Math.PI);
        context.fill();
      });
    }
  }
}
