// Tells scribbles from drawings, whatever the network makes of them.

// Radians of turning for each length of the drawing's square. Of 345 words' raw drawings 0.3% that
// are recognised turn more, and a third of random walks; see benchmarks/check_drawing_page.py.
const MAX_TURNING = 12;

/**
 * How much a pen turned on its way.
 *
 * @param {Float32Array} ink as `prepare` gives it.
 * @returns {number} radians for each length of the drawing's square; of less than one as of one.
 */
export function turning(ink) {
  let length = 0;
  let turned = 0;
  let before = null; // the direction of the step before, in the same stroke
  for (let at = 0; at < ink.length; at += 3) {
    if (at && ink[at - 1] === 1) {
      before = null; // this step leads from one stroke to the next
      continue;
    }
    const direction = Math.atan2(ink[at + 1], ink[at]);
    length += Math.sqrt(ink[at] ** 2 + ink[at + 1] ** 2);
    if (before !== null) {
      const turn = Math.abs(direction - before);
      turned += Math.min(turn, 2 * Math.PI - turn);
    }
    before = direction;
  }
  return turned / Math.max(length, 1);
}

/** Whether it turns so much that no guess should be taken for an answer. */
export function isScribble(ink) {
  return turning(ink) > MAX_TURNING;
}
