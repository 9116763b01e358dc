// Strokes as they are drawn into what the network reads: drawings/ink.py, to the same points.

const SIMPLIFIED_SIZE = 255;
const SIMPLIFIED_EPSILON = 2;
const MAX_FLOAT32 = 3.4028234663852886e38;

/** Why strokes are not a usable drawing. */
export class DrawingError extends Error {}

/**
 * Checks that strokes are a drawing: `[xs, ys]` or `[xs, ys, times]` each.
 *
 * @throws {DrawingError} the message is the reason, the same that create_dataset.py gives.
 */
export function checkStrokes(strokes) {
  require(Array.isArray(strokes), "the drawing is not a list of strokes");
  require(strokes.length, "the drawing has no strokes");
  for (const stroke of strokes) {
    const isStroke = Array.isArray(stroke) && stroke.length >= 2 && stroke.length <= 3;
    require(
      isStroke && Array.isArray(stroke[0]) && Array.isArray(stroke[1]),
      "a stroke is not [xs, ys] or [xs, ys, times]",
    );
    require(stroke[0].length === stroke[1].length, "x and y of different length");
    require(stroke[0].length, "a stroke without points");
    for (const row of stroke.slice(0, 2)) {
      require(row.every((value) => typeof value === "number"), "a coordinate is not a number");
      require(
        row.every((value) => Math.abs(value) <= MAX_FLOAT32),
        "a coordinate beyond float32",
      );
    }
  }
}

/** Whether strokes are to be simplified first: they have times, or are no simplified drawing's. */
export function isRaw(strokes) {
  const simplified = (value) => value >= 0 && value <= SIMPLIFIED_SIZE && Number.isInteger(value);
  return strokes.some(
    ([xs, ys, times]) => times !== undefined || !xs.every(simplified) || !ys.every(simplified),
  );
}

/**
 * Simplifies a drawing as the published simplified drawings were made: aligned to the corner,
 * scaled to 255, resampled one unit apart, and thinned out.
 *
 * @returns {number[][][]} strokes `[xs, ys]`, whole numbers from 0 to 255.
 */
export function simplify(strokes) {
  checkStrokes(strokes);
  const x = extentOf(strokes, 0);
  const y = extentOf(strokes, 1);
  const extent = Math.max(x.upper - x.lower, y.upper - y.lower) || 1;
  const scaled = (values, lower) =>
    values.map((value) => ((value - lower) * SIMPLIFIED_SIZE) / extent);
  return strokes.map((stroke) => {
    const [xs, ys] = resample(scaled(stroke[0], x.lower), scaled(stroke[1], y.lower));
    const kept = keptPoints(xs, ys);
    return [xs, ys].map((values) => values.filter((_, i) => kept[i]).map(roundHalfToEven));
  });
}

/**
 * The drawing as the network reads it, simplified if it is not.
 *
 * @returns {Float32Array} [points - 1, 3]: steps in x and y, where the drawing's box is the unit
 *   square, and 1 at the last point of a stroke.
 */
export function prepare(strokes) {
  checkStrokes(strokes);
  const drawing = isRaw(strokes) ? simplify(strokes) : strokes;
  const columns = [0, 1].map((axis) => unitSteps(drawing, axis));
  const rows = columns[0].length;
  require(rows > 0, "a single point");
  const ink = new Float32Array(3 * rows);
  for (let row = 0; row < rows; row++) {
    ink[3 * row] = columns[0][row];
    ink[3 * row + 1] = columns[1][row];
  }
  let end = -2; // the first point has no row
  for (const [xs] of drawing) {
    end += xs.length;
    if (end >= 0) {
      ink[3 * end + 2] = 1;
    }
  }
  return ink;
}

function require(holds, reason) {
  if (!holds) {
    throw new DrawingError(reason);
  }
}

function extentOf(strokes, axis) {
  let lower = Infinity;
  let upper = -Infinity;
  for (const stroke of strokes) {
    for (const value of stroke[axis]) {
      lower = Math.min(lower, value);
      upper = Math.max(upper, value);
    }
  }
  return { lower, upper };
}

/** Differences of one axis's values, moved and scaled to reach from 0 to 1, all in float32. */
function unitSteps(strokes, axis) {
  const { fround } = Math;
  const { lower, upper } = extentOf(strokes, axis);
  const scale = fround(upper - lower) || 1;
  const units = strokes.flatMap((stroke) =>
    stroke[axis].map((value) => fround(fround(value - lower) / scale)),
  );
  return units.slice(1).map((unit, i) => fround(unit - units[i]));
}

/** Points one unit of length apart along a line; the first and the last stay. */
function resample(xs, ys) {
  const steps = xs.slice(1).map((x, i) => distance(x - xs[i], ys[i + 1] - ys[i]));
  let length = 0;
  for (const step of steps) {
    length += step;
  }
  const count = Math.max(Math.ceil(length) - 1, 0);
  const newXs = [xs[0]];
  const newYs = [ys[0]];
  let segment = 0;
  let reach = 0; // where the segment starts, along the line
  for (let at = 1; at <= count; at++) {
    while (reach + steps[segment] <= at) {
      reach += steps[segment];
      segment += 1;
    }
    const t = (at - reach) / steps[segment];
    newXs.push(xs[segment] * (1 - t) + xs[segment + 1] * t);
    newYs.push(ys[segment] * (1 - t) + ys[segment + 1] * t);
  }
  newXs.push(xs[xs.length - 1]);
  newYs.push(ys[ys.length - 1]);
  return [newXs, newYs];
}

/** Which points of a line the algorithm of Ramer, Douglas and Peucker keeps. */
function keptPoints(xs, ys) {
  const kept = Array.from(xs, () => false);
  kept[0] = kept[xs.length - 1] = true;
  const pending = [[0, xs.length - 1]];
  while (pending.length) {
    const [first, last] = pending.pop();
    const chordX = xs[last] - xs[first];
    const chordY = ys[last] - ys[first];
    const chord = distance(chordX, chordY);
    let farthest = first;
    let greatest = SIMPLIFIED_EPSILON;
    for (let i = first + 1; i < last; i++) {
      const x = xs[i] - xs[first];
      const y = ys[i] - ys[first];
      const away = chord ? Math.abs(chordX * y - chordY * x) / chord : distance(x, y);
      if (away > greatest) {
        farthest = i;
        greatest = away;
      }
    }
    if (farthest > first) {
      kept[farthest] = true;
      pending.push([first, farthest], [farthest, last]);
    }
  }
  return kept;
}

function distance(x, y) {
  return Math.sqrt(x * x + y * y); // not Math.hypot, which rounds otherwise
}

function roundHalfToEven(value) {
  const rounded = Math.round(value);
  return Math.abs(value % 1) === 0.5 && rounded % 2 ? rounded - 1 : rounded;
}
