// What is drawn on. It fills its place, and all of the drawing stays in sight.

import { History } from "./history.js";
import { KeyboardPen } from "./keyboard_pen.js";
import { Pen } from "./pen.js";
import { boundsOf, drawDot, drawStrokes } from "./sketch.js";

// Units along the longer side of an empty board, however large it is shown; strokes are in these.
const UNITS = 800;
// Between strokes whose distance in time is unknown.
const PAUSE_MILLISECONDS = 500;

export class Board {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {function(boolean): void} onChange told after each change, and whether a stroke is
   *   still being drawn.
   */
  constructor(canvas, onChange) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.onChange = (stillDrawing) => {
      this.version += 1;
      onChange(stillDrawing);
    };
    this.strokes = [];
    this.history = new History();
    this.number = 0; // another one after what was drawn is taken back
    this.version = 0; // another one after each change
    this.enabled = true;
    this.isDrawing = false;
    this.overlay = null; // what is shown instead of the drawing, see `showOverlay`
    this.cursor = null;
    this.sheet = null; // what an empty board shows, in units; all of it stays in sight
    this.view = { scale: 1, left: 0, top: 0 };
    this.isPrinting = false;
    this.pens = [new Pen(canvas, this), new KeyboardPen(canvas, this)];
    new ResizeObserver(() => this.fit()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.render());
    window.addEventListener("beforeprint", () => this.setPrinting(true));
    window.addEventListener("afterprint", () => this.setPrinting(false));
    this.fit();
  }

  /** What is drawn, as of now. */
  copy() {
    return this.strokes.map((stroke) => stroke.map((row) => [...row]));
  }

  get canDraw() {
    return this.enabled;
  }

  get canUndo() {
    return this.enabled && this.history.canUndo;
  }

  get canRedo() {
    return this.enabled && this.history.canRedo;
  }

  /** A new, empty board: there is nothing to take back. */
  startAnew() {
    this.history.reset([]);
    this.replace([]);
  }

  /** The drawing and its sheet, for `restore`. */
  snapshot() {
    return { strokes: this.copy(), sheet: this.sheet };
  }

  /** Shows a drawing that was here before. */
  restore({ strokes, sheet }) {
    this.sheet = sheet;
    this.history.reset(strokes);
    this.replace(strokes);
  }

  clear() {
    if (this.strokes.length) {
      this.history.push([]);
      this.replace([]);
    }
  }

  undo() {
    this.replace(this.history.undo());
  }

  redo() {
    this.replace(this.history.redo());
  }

  replace(strokes) {
    this.pens.forEach((pen) => pen.release());
    this.isDrawing = false;
    this.number += 1;
    this.strokes = [...strokes];
    this.startedAt = null;
    this.overlay = null;
    this.fit();
    this.onChange(false);
  }

  /** Takes strokes away that were drawn here; one that is being drawn meanwhile goes on. */
  remove(strokes) {
    const left = this.strokes.filter((stroke) => !strokes.includes(stroke));
    const delay = left.length ? left[0][2][0] : 0;
    left.forEach((stroke) => {
      stroke[2] = stroke[2].map((time) => time - delay);
    });
    this.startedAt = left.length && this.startedAt !== null ? this.startedAt + delay : null;
    this.strokes = left;
    this.history.push(this.isDrawing ? left.slice(0, -1) : [...left]);
    this.number += 1;
    this.overlay = null;
    this.fit();
    this.onChange(this.isDrawing);
  }

  setEnabled(enabled) {
    if (this.isDrawing) {
      this.end();
    }
    this.pens.forEach((pen) => pen.release());
    this.enabled = enabled;
    this.canvas.classList.toggle("resting", !enabled);
    this.onChange(false);
  }

  /**
   * Shows something instead of the drawing, which is pale then: strokes in its own units, and the
   * points that the network reads of it, from 0 to 255; null for the drawing itself.
   */
  showOverlay(overlay) {
    this.overlay = overlay;
    this.render();
  }

  showCursor(point, isDown = false) {
    this.cursor = point && { ...point, isDown };
    this.render();
  }

  begin(points) {
    const [{ time }] = points;
    const last = this.strokes.length ? this.strokes[this.strokes.length - 1][2] : null;
    if (!last) {
      this.startedAt = time;
    } else if (this.startedAt === null) {
      const lastTime = last && last.length ? last[last.length - 1] : 0;
      this.startedAt = time - lastTime - PAUSE_MILLISECONDS;
    }
    this.overlay = null;
    this.isDrawing = true;
    this.strokes.push([[], [], []]);
    this.add(points);
    this.render();
    this.onChange(true);
  }

  extend(points) {
    const [xs, ys] = this.strokes[this.strokes.length - 1];
    const first = xs.length - 1;
    this.add(points);
    this.prepareContext();
    drawStrokes(this.context, [[xs.slice(first), ys.slice(first)]]);
    this.onChange(true);
  }

  end() {
    this.isDrawing = false;
    this.history.push([...this.strokes]);
    this.onChange(false);
  }

  /** Takes back the stroke that is being drawn. */
  drop() {
    this.isDrawing = false;
    this.strokes.pop();
    this.number += 1;
    this.render();
    this.onChange(false);
  }

  add(points) {
    const { scale, left, top } = this.view;
    const rounded = (value) => Math.round(value * 10) / 10;
    const [xs, ys, times] = this.strokes[this.strokes.length - 1];
    for (const { x, y, time } of points) {
      xs.push(rounded(x / scale + left));
      ys.push(rounded(y / scale + top));
      times.push(Math.max(0, Math.round(time - this.startedAt)));
    }
  }

  /** Takes as many pixels as the screen has where the canvas stands, and shows all there is. */
  fit() {
    const { clientWidth, clientHeight } = this.canvas;
    if (!clientWidth || !clientHeight) {
      return; // not shown
    }
    const ratio = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(clientWidth * ratio);
    this.canvas.height = Math.round(clientHeight * ratio);
    if (!this.strokes.length || !this.sheet) {
      const units = UNITS / Math.max(clientWidth, clientHeight);
      this.sheet = { left: 0, top: 0, width: clientWidth * units, height: clientHeight * units };
    }
    const { left, top, right, bottom } = this.area();
    const scale = Math.min(clientWidth / (right - left), clientHeight / (bottom - top));
    this.view = {
      scale,
      left: (left + right - clientWidth / scale) / 2,
      top: (top + bottom - clientHeight / scale) / 2,
    };
    this.render();
  }

  /** The sheet, and what stands outside of it since the board had another shape. */
  area() {
    const boxes = this.strokes.length ? [this.sheet, boundsOf(this.strokes)] : [this.sheet];
    return {
      left: Math.min(...boxes.map((box) => box.left)),
      top: Math.min(...boxes.map((box) => box.top)),
      right: Math.max(...boxes.map((box) => box.left + box.width)),
      bottom: Math.max(...boxes.map((box) => box.top + box.height)),
    };
  }

  setPrinting(isPrinting) {
    this.isPrinting = isPrinting;
    this.render();
  }

  prepareContext() {
    const { canvas, context, view } = this;
    const pixels = (canvas.width / canvas.clientWidth) * view.scale;
    context.setTransform(pixels, 0, 0, pixels, -view.left * pixels, -view.top * pixels);
    context.lineCap = context.lineJoin = "round";
    context.lineWidth = this.lineWidth() / view.scale;
    context.strokeStyle = context.fillStyle = this.isPrinting ? "#000" : getComputedStyle(canvas).color;
  }

  /** In CSS pixels: as thick for a board as a marker is for a sheet of paper. */
  lineWidth() {
    const { clientWidth, clientHeight } = this.canvas;
    return Math.min(Math.max(Math.min(clientWidth, clientHeight) / 110, 3.5), 14);
  }

  render() {
    const { canvas, context } = this;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    if (!canvas.clientWidth) {
      return;
    }
    this.prepareContext();
    context.globalAlpha = this.overlay ? 0.18 : 1;
    drawStrokes(context, this.strokes);
    context.globalAlpha = 1;
    if (this.overlay) {
      this.renderOverlay();
    }
    if (this.cursor) {
      this.renderCursor();
    }
  }

  renderOverlay() {
    const { strokes, points } = this.overlay;
    const { context, view } = this;
    drawStrokes(context, strokes);
    context.fillStyle = getComputedStyle(this.canvas).getPropertyValue("--accent");
    const { left, top, width, height } = boundsOf(strokes);
    const scale = Math.max(width, height) / 255;
    const radius = (0.8 * this.lineWidth()) / view.scale;
    for (const [xs, ys] of points) {
      xs.forEach((x, i) => drawDot(context, left + x * scale, top + ys[i] * scale, radius));
    }
  }

  renderCursor() {
    const { canvas, context, cursor } = this;
    const pixels = canvas.width / canvas.clientWidth;
    context.setTransform(pixels, 0, 0, pixels, 0, 0);
    context.strokeStyle = context.fillStyle = getComputedStyle(canvas).getPropertyValue("--accent");
    context.lineWidth = 2;
    context.beginPath();
    context.arc(cursor.x, cursor.y, 9, 0, 2 * Math.PI);
    context.stroke();
    if (cursor.isDown) {
      drawDot(context, cursor.x, cursor.y, 5);
    }
  }
}
