// Drawings as pictures. They have the colour of the text around them, on a screen and on paper.

import { make, makeSvg } from "./elements.js";

const MARGIN = 0.06; // of the longer side

/** How many points strokes have. */
export function countPoints(strokes) {
  return strokes.reduce((sum, [xs]) => sum + xs.length, 0);
}

/** The box around strokes. */
export function boundsOf(strokes) {
  const [x, y] = [0, 1].map((axis) => {
    let lower = Infinity;
    let upper = -Infinity;
    for (const stroke of strokes) {
      for (const value of stroke[axis]) {
        lower = Math.min(lower, value);
        upper = Math.max(upper, value);
      }
    }
    return { lower, extent: upper - lower };
  });
  return { left: x.lower, top: y.lower, width: x.extent, height: y.extent };
}

/** Draws strokes on a canvas's context, in the units that it is scaled to. */
export function drawStrokes(context, strokes) {
  context.beginPath();
  for (const [xs, ys] of strokes) {
    context.moveTo(xs[0], ys[0]);
    for (let i = 1; i < xs.length; i++) {
      context.lineTo(xs[i], ys[i]);
    }
  }
  context.stroke();
  for (const [xs, ys] of strokes) {
    if (xs.length === 1) {
      drawDot(context, xs[0], ys[0], context.lineWidth / 2); // a line of no length may be invisible
    }
  }
}

export function drawDot(context, x, y, radius) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fill();
}

/** The data of an SVG path; a single point becomes a line that is short enough to be a dot. */
export function pathOf(strokes) {
  return strokes
    .map(([xs, ys]) => {
      const points = xs.map((x, i) => `${round(x)} ${round(ys[i])}`);
      return `M${points.join("L")}${points.length === 1 ? "h.01" : ""}`;
    })
    .join("");
}

function round(value) {
  return Math.round(10 * value) / 10;
}

/** An SVG picture in which the strokes have room, and its path. */
export function emptySketch(strokes, label) {
  const { left, top, width, height } = strokes.length
    ? boundsOf(strokes)
    : { left: 0, top: 0, width: 1, height: 1 };
  const margin = MARGIN * Math.max(width, height) || 1;
  const box = [left - margin, top - margin, width + 2 * margin, height + 2 * margin];
  const path = makeSvg("path");
  const role = label ? { role: "img", "aria-label": label } : { "aria-hidden": "true" };
  const svg = makeSvg("svg", { class: "sketch", viewBox: box.map(round).join(" "), ...role }, path);
  return { svg, path };
}

/** A picture of a drawing; decorative without a label. */
export function sketch(strokes, label = "") {
  const { svg, path } = emptySketch(strokes, label);
  path.setAttribute("d", pathOf(strokes));
  return svg;
}

/** A list of pictures, such as of how others drew a word. */
export function sketches(drawings, label) {
  return make(
    "ul",
    { class: "sketches" },
    ...drawings.map((strokes, i) => make("li", {}, sketch(strokes, `${label}, ${i + 1}`))),
  );
}
