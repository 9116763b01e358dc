// Tells scribbles from drawings: the wilder the pen, the surer the network must be.
//
// A logistic regression, fitted on the real drawings and the random walks that a network names; its
// limit is such that of all real drawings about 0.7% lose their right name. What it gives with
// several networks is in docs/measurements.md; benchmarks/check_drawing_page.py measures it.

// Log odds for a scribble
const OF_WIGGLE = 1.2; // for each wiggle per side of the drawing's square that the pen moves
const OF_CROSSINGS = 1.5; // for the logarithm of 1 + the crossings of strokes with themselves
const OF_TURN = 2; // for each radian of the mean turn
const OF_GAP = 1.5; // for the mean distance between a stroke's ends, in sides of the square
const OF_ALL = -7.8;

// What is less likely than not counts as even, and no network is surer than this of a scribble.
const LEAST_PROBABILITY = 0.5;
const GREATEST_PROBABILITY = 0.99;

/**
 * How a pen moved.
 *
 * @param {Float32Array} ink as `prepare` gives it.
 * @returns {{wiggles: number, crossings: number, turn: number, gap: number}} how often a turn to
 *   one side follows one to the other, for each length of the drawing's square, of less than one as
 *   of one; how often strokes cross themselves; the mean turn in radians; and the mean distance
 *   between the ends of a stroke.
 */
export function movement(ink) {
  const strokes = linesOf(ink);
  let [wiggles, length, crossings, turned, numTurns, gaps] = [0, 0, 0, 0, 0, 0];
  for (const line of strokes) {
    const turns = turnsOf(line);
    turned += turns.reduce((sum, turn) => sum + Math.abs(turn), 0);
    numTurns += turns.length;
    wiggles += turns.filter((turn, i) => i && turn * turns[i - 1] < 0).length;
    line.forEach((point, i) => {
      length += i ? distance(line[i - 1], point) : 0;
    });
    crossings += countCrossings(line);
    gaps += distance(line[0], line[line.length - 1]);
  }
  return {
    wiggles: wiggles / Math.max(length, 1),
    crossings,
    turn: turned / Math.max(numTurns, 1),
    gap: gaps / strokes.length,
  };
}

/**
 * Whether no guess should be taken for an answer.
 *
 * @param {Float32Array} ink as `prepare` gives it.
 * @param {number} probability of the likeliest word.
 */
export function isScribble(ink, probability) {
  const { wiggles, crossings, turn, gap } = movement(ink);
  const wildness =
    OF_ALL +
    OF_WIGGLE * wiggles +
    OF_CROSSINGS * Math.log1p(crossings) +
    OF_TURN * turn +
    OF_GAP * gap;
  const p = Math.min(Math.max(probability, LEAST_PROBABILITY), GREATEST_PROBABILITY);
  return wildness > Math.log(p / (1 - p));
}

/** The strokes' points `[x, y]`, in the drawing's square. */
function linesOf(ink) {
  let [x, y] = [0, 0];
  let line = [[x, y]];
  const lines = [line];
  for (let at = 0; at < ink.length; at += 3) {
    x += ink[at];
    y += ink[at + 1];
    if (at && ink[at - 1] === 1) {
      line = []; // this step led from one stroke to the next
      lines.push(line);
    }
    line.push([x, y]);
  }
  return lines;
}

/** The angles by which a line turns at its inner points, from -pi to pi. */
function turnsOf(line) {
  const directions = line.slice(1).map(([x, y], i) => Math.atan2(y - line[i][1], x - line[i][0]));
  return directions.slice(1).map((direction, i) => {
    const turn = direction - directions[i];
    return turn - 2 * Math.PI * Math.round(turn / (2 * Math.PI));
  });
}

function countCrossings(line) {
  let count = 0;
  for (let i = 3; i < line.length; i++) {
    for (let j = 1; j < i - 1; j++) {
      count += cross(line[i - 1], line[i], line[j - 1], line[j]);
    }
  }
  return count;
}

/** Whether two lines cross; those that only touch do not. */
function cross(a, b, c, d) {
  return side(a, b, c) * side(a, b, d) < 0 && side(c, d, a) * side(c, d, b) < 0;
}

/** On which side of a line a point is, by the sign. */
function side([ax, ay], [bx, by], [x, y]) {
  return (bx - ax) * (y - ay) - (by - ay) * (x - ax);
}

function distance([ax, ay], [bx, by]) {
  return Math.sqrt((bx - ax) ** 2 + (by - ay) ** 2);
}
