// How the network reads a drawing: its points, and what it guessed on the way.

import { chartOf } from "./chart.js";
import { byId, counted, make, percent, setBusy } from "./elements.js";
import { latestOnly, likeliest } from "./guesser.js";
import { countPoints } from "./sketch.js";

const CHART_WORDS = 3;
const MAX_LOOKS = 32; // of the chart
const REPLAY_MILLISECONDS = 4000;

export class SeePanel {
  constructor(app) {
    this.app = app;
    this.text = byId("see-text");
    this.now = byId("see-now");
    this.chart = byId("see-chart");
    this.slider = byId("see-slider");
    this.isShown = false;
    this.isPlaying = false;
    this.strokes = [];
    this.mark = () => {};
    const look = latestOnly(() => this.look());
    this.refresh = () => {
      setBusy(this.chart, true);
      look();
    };
    this.showPart = latestOnly(() => this.lookAtPart());
    this.slider.addEventListener("input", () => {
      this.isPlaying = false;
      this.showPart();
    });
    byId("see-play").addEventListener("click", () => this.play());
  }

  show() {
    this.isShown = true;
    this.refresh();
  }

  hide() {
    this.isShown = this.isPlaying = false;
    setBusy(this.chart, false);
    this.app.board.showOverlay(null);
  }

  hear({ isDrawing }) {
    this.isPlaying = false;
    if (!isDrawing) {
      this.refresh();
    }
  }

  /** Looks at the drawing and at its beginnings. */
  async look() {
    const { board, guesser, threshold } = this.app;
    const { version } = board;
    const strokes = board.copy();
    const count = countPoints(strokes);
    this.strokes = strokes;
    byId("see-replay").hidden = count < 2;
    this.now.textContent = "";
    if (count < 2) {
      this.text.textContent = count ? "A single point says little: draw on." : "Draw something first.";
      this.chart.replaceChildren();
      setBusy(this.chart, false);
      return;
    }
    this.slider.max = count; // before the value, which it bounds
    this.slider.value = count;
    const isStale = () => !this.isShown || version !== board.version;
    await this.lookAtPart();
    const looks = [];
    for (const end of endsOf(count)) {
      const seen = await guesser.look(beginning(strokes, end));
      if (isStale()) {
        return;
      }
      looks.push({ end, ...seen });
    }
    const { words, probabilities } = looks[looks.length - 1];
    if (looks.some((one) => one.words.length !== words.length)) {
      return; // other words were learnt meanwhile; `hear` will have it look again
    }
    const last = likeliest(probabilities, words, CHART_WORDS).map((guess) => ({
      ...guess,
      index: words.indexOf(guess.word),
    }));
    const { elements, mark } = chartOf(looks, last, { numPoints: count, threshold });
    const leaders = looks.map((one) => likeliest(one.probabilities, words, 1)[0].word);
    const led = leaders.filter((word, i) => word !== leaders[i - 1]);
    this.chart.replaceChildren(...elements, make("h3", {}, "In the lead"), make("p", {}, led.join(" → ")));
    this.mark = mark;
    this.mark(Number(this.slider.value));
    setBusy(this.chart, version !== board.version);
  }

  /** Shows the drawing up to the slider's point, and what is guessed then. */
  async lookAtPart() {
    const { board, guesser } = this.app;
    const { version } = board;
    const end = Number(this.slider.value);
    const strokes = beginning(this.strokes, end);
    const points = end > 1 ? await guesser.simplify(strokes) : [];
    const seen = end > 1 ? await guesser.look(strokes) : null;
    const guesses = seen ? likeliest(seen.probabilities, seen.words, CHART_WORDS) : [];
    if (!this.isShown || version !== board.version) {
      return;
    }
    board.showOverlay({ strokes, points });
    this.text.textContent =
      `${counted(strokes.length, "stroke")}, ${counted(end, "point")}. The network reads the ` +
      `${countPoints(points)} that are marked, each as a step from the one before.`;
    this.now.textContent = guesses
      .map(({ word, probability }) => `${word} ${percent(probability)}`)
      .join(", ");
    this.slider.setAttribute("aria-valuetext", `${counted(end, "point")}: ${this.now.textContent}`);
    this.mark(end);
  }

  /** Moves the slider from the first point to the last. */
  play() {
    const count = Number(this.slider.max);
    const start = performance.now();
    this.isPlaying = true;
    const step = (now) => {
      if (!this.isPlaying) {
        return;
      }
      const share = Math.min((now - start) / REPLAY_MILLISECONDS, 1);
      this.slider.value = Math.max(1, Math.round(share * count));
      this.showPart();
      if (share < 1) {
        requestAnimationFrame(step);
      } else {
        this.isPlaying = false;
      }
    };
    requestAnimationFrame(step);
  }
}

/** The numbers of points after which the chart has a look: the last and others as far apart. */
export function endsOf(count) {
  const numLooks = Math.min(count - 1, MAX_LOOKS);
  const step = (count - 2) / Math.max(numLooks - 1, 1);
  return Array.from({ length: numLooks }, (_, i) => Math.round(2 + i * step));
}

/** The strokes up to a point. */
function beginning(strokes, end) {
  const begun = [];
  for (const stroke of strokes) {
    if (end <= 0) {
      break;
    }
    begun.push(stroke.map((row) => row.slice(0, end)));
    end -= stroke[0].length;
  }
  return begun;
}
