// Makes the page's elements. What they show is always text, never markup.

const SVG = "http://www.w3.org/2000/svg";

/** The element of the page with that id. */
export function byId(id) {
  return document.getElementById(id);
}

/** A new element: its attributes, then what is in it, elements or text. */
export function make(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** The same, of SVG. */
export function makeSvg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

export function button(text, onClick, attributes = {}) {
  const element = make("button", { type: "button", ...attributes }, text);
  element.addEventListener("click", onClick);
  return element;
}

export function percent(share) {
  return `${(100 * share).toFixed(share < 0.1 ? 1 : 0)}%`;
}

/** A row of a list of guesses, with a bar as long as it is likely. */
export function guessRow({ word, probability }, isSaid = false) {
  const bar = make("span", { class: "bar", "aria-hidden": "true" });
  bar.style.setProperty("--share", probability);
  return make(
    "li",
    isSaid ? { class: "said" } : {},
    make("span", { class: "word" }, word),
    bar,
    make("span", { class: "share" }, percent(probability)),
  );
}

/** Draws strokes as lines on a canvas's context, in the units that it is scaled to. */
export function drawStrokes(context, strokes) {
  context.beginPath();
  for (const [xs, ys] of strokes) {
    context.moveTo(xs[0], ys[0]);
    context.lineTo(xs[0], ys[0]); // a single point is a dot
    xs.forEach((x, i) => context.lineTo(x, ys[i]));
  }
  context.stroke();
}

/** A small picture of a drawing. */
export function thumbnail(strokes, label) {
  const width = 96;
  const height = 72;
  const margin = 6;
  const ratio = window.devicePixelRatio || 1;
  const canvas = make("canvas", { class: "thumbnail", role: "img", "aria-label": label });
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  const bounds = [0, 1].map((axis) => {
    let lower = Infinity;
    let upper = -Infinity;
    strokes.forEach((stroke) =>
      stroke[axis].forEach((value) => {
        lower = Math.min(lower, value);
        upper = Math.max(upper, value);
      }),
    );
    return { lower, extent: Math.max(upper - lower, 1e-9) };
  });
  const scale = Math.min(
    (width - 2 * margin) / bounds[0].extent,
    (height - 2 * margin) / bounds[1].extent,
  );
  const context = canvas.getContext("2d");
  context.setTransform(ratio * scale, 0, 0, ratio * scale, 0, 0);
  context.translate(
    width / scale / 2 - bounds[0].lower - bounds[0].extent / 2,
    height / scale / 2 - bounds[1].lower - bounds[1].extent / 2,
  );
  context.lineWidth = 2 / scale;
  context.lineCap = context.lineJoin = "round";
  context.strokeStyle = getComputedStyle(document.body).color;
  if (strokes.length) {
    drawStrokes(context, strokes);
  }
  return canvas;
}
