// How likely words became while a drawing was made.

import { make, makeSvg, percent } from "./elements.js";

const WIDTH = 360;
const HEIGHT = 190;
const LEFT = 44;
const RIGHT = 10;
const TOP = 10;
const BOTTOM = 26;

/**
 * @param {{end: number, probabilities: Float32Array}[]} looks after so many points.
 * @param {{word: string, probability: number, index: number}[]} last the words to show, at the end.
 * @param {{numPoints: number, threshold: number}} scale
 * @returns {{elements: Element[], mark: function(number): void}} the chart and its legend, and what
 *   marks a point of the drawing.
 */
export function chartOf(looks, last, { numPoints, threshold }) {
  const x = (end) => LEFT + ((WIDTH - LEFT - RIGHT) * (end - 1)) / Math.max(numPoints - 1, 1);
  const y = (share) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - share);
  const words = last.map(({ word, probability }) => `${word} ${percent(probability)}`);
  const svg = makeSvg("svg", {
    class: "chart",
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
    role: "img",
    "aria-label": `How likely the words were while you drew; in the end ${words.join(", ")}`,
  });
  for (const share of [0, threshold, 1]) {
    svg.append(
      makeSvg("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: y(share), y2: y(share) }),
      makeSvg("text", { x: LEFT - 8, y: y(share) + 4, "text-anchor": "end" }, percent(share)),
    );
  }
  svg.append(
    makeSvg("text", { x: LEFT, y: HEIGHT - 6 }, "first point"),
    makeSvg("text", { x: WIDTH - RIGHT, y: HEIGHT - 6, "text-anchor": "end" }, "last"),
  );
  last.forEach(({ index }, rank) => {
    const points = looks.map(({ end, probabilities }) => `${x(end)},${y(probabilities[index])}`);
    svg.append(makeSvg("polyline", { class: `rank-${rank}`, points: points.join(" ") }));
  });
  const marker = makeSvg("line", { class: "marker", y1: TOP, y2: HEIGHT - BOTTOM });
  svg.append(marker);
  const mark = (end) => {
    marker.setAttribute("x1", x(end));
    marker.setAttribute("x2", x(end));
  };
  mark(numPoints);
  const legend = make(
    "ul",
    { class: "legend" },
    ...words.map((text, rank) => make("li", { class: `rank-${rank}` }, text)),
  );
  return { elements: [svg, legend], mark };
}
