// Draws a drawing again as it was drawn.

import { emptySketch, pathOf } from "./sketch.js";

const MAX_PAUSE = 250; // milliseconds of thinking that are shown
const MAX_MILLISECONDS = 4000; // of a replay; what took longer is shown faster
const UNTIMED_MILLISECONDS = 16; // from one point to the next of strokes without times

/** The moment of each point of each stroke in a replay, in milliseconds; long pauses are cut. */
export function moments(strokes) {
  let now = 0;
  let before = 0;
  const timed = strokes.map(([xs, , times]) =>
    xs.map((_, i) => {
      const time = times ? times[i] : before + UNTIMED_MILLISECONDS;
      now += Math.min(Math.max(time - before, 0), MAX_PAUSE);
      before = time;
      return now;
    }),
  );
  const pace = Math.min(1, MAX_MILLISECONDS / Math.max(now, 1));
  return timed.map((stroke) => stroke.map((moment) => moment * pace));
}

/** What of the strokes is drawn at a moment. */
export function drawnAt(strokes, times, moment) {
  return strokes
    .map((stroke, s) => {
      const count = times[s].filter((time) => time <= moment).length;
      return stroke.map((row) => row.slice(0, count));
    })
    .filter(([xs]) => xs.length);
}

/** A picture that draws itself; `play()` starts it. */
export function replayed(strokes, label) {
  const { svg, path } = emptySketch(strokes, label);
  const times = moments(strokes);
  const end = Math.max(0, ...times.flat());
  let playing = 0;
  path.setAttribute("d", pathOf(strokes));
  const play = () => {
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
      return;
    }
    const number = ++playing;
    const start = performance.now();
    const step = (now) => {
      if (number !== playing || !svg.isConnected) {
        return;
      }
      path.setAttribute("d", pathOf(drawnAt(strokes, times, now - start)));
      if (now - start <= end) {
        requestAnimationFrame(step);
      }
    };
    requestAnimationFrame(step);
  };
  return { svg, play };
}
