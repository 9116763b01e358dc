// How the network sees a drawing: its points, and what it guesses after each stroke.

import { byId, make, makeSvg, percent } from "./elements.js";
import { likeliest, latestOnly } from "./guesser.js";

const CHART_WORDS = 3;
const MAX_POINTS = 24; // of the chart
const WIDTH = 360;
const HEIGHT = 180;
const LEFT = 40;
const BOTTOM = 24;
const TOP = 8;

export class SeePanel {
  constructor(app) {
    this.app = app;
    this.text = byId("see-text");
    this.chart = byId("see-chart");
    this.isShown = false;
    this.refresh = latestOnly(() => this.look());
  }

  show() {
    this.isShown = true;
    this.refresh();
  }

  hide() {
    this.isShown = false;
    this.app.board.showOverlay(null);
  }

  hear({ isDrawing }) {
    if (!isDrawing) {
      this.refresh();
    }
  }

  async look() {
    const { board, guesser, words } = this.app;
    const { number } = board;
    const strokes = board.copy();
    const isStale = () => !this.isShown || number !== board.number || board.pointer !== null;
    if (!strokes.length) {
      this.text.textContent = "Draw something first.";
      this.chart.replaceChildren();
      return;
    }
    const simplified = await guesser.simplify(strokes);
    if (isStale()) {
      return;
    }
    board.showOverlay(simplified);
    const count = (list) => list.reduce((sum, [xs]) => sum + xs.length, 0);
    this.text.textContent =
      `You drew ${count(strokes)} points in ${strokes.length} strokes; the network reads the ` +
      `${count(simplified)} that are marked, one after the other, each as a step from the last.`;
    const shown = [];
    const every = Math.ceil(strokes.length / MAX_POINTS);
    for (let end = 1; end <= strokes.length; end++) {
      if (end % every && end !== strokes.length) {
        continue;
      }
      const probabilities = await guesser.classify(strokes.slice(0, end)).catch(() => null);
      if (isStale()) {
        return;
      }
      if (probabilities) {
        shown.push({ end, probabilities });
      }
    }
    this.draw(shown, words, strokes.length);
  }

  draw(shown, words, numStrokes) {
    if (!shown.length) {
      this.chart.replaceChildren();
      return;
    }
    const last = likeliest(shown[shown.length - 1].probabilities, words, CHART_WORDS);
    const x = (end) => LEFT + ((WIDTH - LEFT - 8) * (end - 1)) / Math.max(numStrokes - 1, 1);
    const y = (share) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - share);
    const label = `Probabilities after each stroke; in the end ${last
      .map(({ word, probability }) => `${word} ${percent(probability)}`)
      .join(", ")}`;
    const chart = makeSvg("svg", {
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
      role: "img",
      "aria-label": label,
    });
    for (const share of [0, this.app.threshold, 1]) {
      chart.append(
        makeSvg("line", { x1: LEFT, x2: WIDTH, y1: y(share), y2: y(share) }),
        makeSvg("text", { x: LEFT - 6, y: y(share) + 4, "text-anchor": "end" }, percent(share)),
      );
    }
    chart.append(
      makeSvg("text", { x: LEFT, y: HEIGHT - 6 }, "stroke 1"),
      makeSvg("text", { x: WIDTH, y: HEIGHT - 6, "text-anchor": "end" }, `stroke ${numStrokes}`),
    );
    last.forEach(({ word }, rank) => {
      const index = words.indexOf(word);
      const points = shown.map(({ end, probabilities }) => [x(end), y(probabilities[index])]);
      chart.append(
        makeSvg("polyline", { class: `rank-${rank}`, points: points.map(String).join(" ") }),
        ...points.map(([cx, cy]) => makeSvg("circle", { class: `rank-${rank}`, cx, cy, r: 3 })),
      );
    });
    const legend = make(
      "ul",
      { class: "legend" },
      ...last.map(({ word, probability }, rank) =>
        make("li", { class: `rank-${rank}` }, `${word} ${percent(probability)}`),
      ),
    );
    this.chart.replaceChildren(chart, legend);
  }
}
