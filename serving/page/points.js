// Strokes as they are drawn into what the network reads: drawings/ink.py, to the same points.

const SIMPLIFIED_SIZE = 255;
const SIMPLIFIED_EPSILON = 2;
const MAX_RESAMPLED_LENGTH = 65536;
const DENSE_SHARE = 0.4;
const DENSE_POINTS = 6;
const MAX_FLOAT32 = 3.4028234663852886e38;
const NOT_A_STROKE = "a stroke is not [xs, ys] or [xs, ys, times]";
const ARE_POINTS = `${NOT_A_STROKE}; are these [x, y] points?`;

/** Why strokes are not a usable drawing. */
export class DrawingError extends Error {}

/**
 * Checks that strokes are a drawing: `[xs, ys]` or `[xs, ys, times]` each.
 *
 * @throws {DrawingError} the message is the reason, the same that create_dataset.py gives.
 */
export function checkStrokes(strokes) {
  require(isRow(strokes), "the drawing is not a list of strokes");
  require(strokes.length, "the drawing has no strokes");
  const isStroke = (stroke) =>
    isRow(stroke) && [2, 3].includes(stroke.length) && isRow(stroke[0]) && isRow(stroke[1]);
  const isPoint = (point) => isRow(point) && [2, 3].includes(point.length);
  if (!strokes.every(isStroke)) {
    const points = strokes.every((list) => isRow(list) && list.length && list.every(isPoint));
    throw new DrawingError(points ? ARE_POINTS : NOT_A_STROKE);
  }
  for (const [xs, ys] of strokes) {
    require(xs.length === ys.length, "x and y of different length");
    require(xs.length, "a stroke without points");
    require(holdsNumbers(xs) && holdsNumbers(ys), "a coordinate is not a number");
  }
  require(!timesContradict(strokes), ARE_POINTS);
  for (const axis of [0, 1]) {
    const { lower, upper } = extentOf(strokes, axis);
    const largest = Math.max(Math.abs(lower), Math.abs(upper), upper - lower);
    require(largest <= MAX_FLOAT32, "a coordinate beyond float32");
  }
}

/** Whether it is an array of numbers or of anything, typed or not. */
function isRow(value) {
  return Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));
}

function holdsNumbers(row) {
  return row.every((value) => typeof value === "number" && !Number.isNaN(value));
}

/** Whether what stands where times do cannot be times, see `_times_contradict` in ink.py. */
function timesContradict(strokes) {
  const size = strokes[0][0].length;
  const times = strokes.filter((stroke) => stroke.length === 3).map((stroke) => stroke[2]);
  if (
    ![2, 3].includes(size) ||
    !strokes.every(([xs]) => xs.length === size) ||
    !times.length ||
    !times.every((row) => isRow(row) && row.length === size && holdsNumbers(row))
  ) {
    return false;
  }
  const back = times.some((row) => row.some((time, i) => time < row[i - 1]));
  const backBetween = times.some((row, i) => i && row[0] < times[i - 1][size - 1]);
  const startAnew = times.every((row) => row[0] === times[0][0]);
  return times.length < strokes.length || back || (backBetween && !startAnew);
}

/** Whether simplifying would leave out many of a drawing's points, see `is_dense` in ink.py. */
function isDense(strokes) {
  const extents = [0, 1].map((axis) => extentOf(strokes, axis));
  const extent = Math.max(...extents.map(({ lower, upper }) => upper - lower));
  const reach = (SIMPLIFIED_EPSILON * extent) / SIMPLIFIED_SIZE;
  let inner = 0;
  let superfluous = 0;
  for (const [xs, ys] of strokes) {
    inner += Math.max(xs.length - 2, 0);
    for (let i = 1; i < xs.length - 1; i++) {
      const x = xs[i] - xs[i - 1];
      const y = ys[i] - ys[i - 1];
      const chordX = x + (xs[i + 1] - xs[i]);
      const chordY = y + (ys[i + 1] - ys[i]);
      const chord = chordX * chordX + chordY * chordY; // squared
      const area = chordX * y - chordY * x;
      const near = chord > 0 ? area * area <= reach * reach * chord : x * x + y * y <= reach * reach;
      superfluous += near ? 1 : 0;
    }
  }
  return superfluous >= DENSE_SHARE * (inner + DENSE_POINTS);
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
    Array.from(values, (value) => ((value - lower) * SIMPLIFIED_SIZE) / extent);
  const lines = strokes.map((stroke) => {
    const xs = scaled(stroke[0], x.lower);
    const ys = scaled(stroke[1], y.lower);
    const steps = xs.slice(1).map((next, i) => distance(next - xs[i], ys[i + 1] - ys[i]));
    return { xs, ys, steps, length: sum(steps) };
  });
  const spacing = Math.max(sum(lines.map(({ length }) => length)) / MAX_RESAMPLED_LENGTH, 1);
  return lines.map((line) => {
    const [xs, ys] = resample(line, spacing);
    const kept = keptPoints(xs, ys);
    return [xs, ys].map((values) => values.filter((_, i) => kept[i]).map(roundHalfToEven));
  });
}

/**
 * The drawing as the network reads it, simplified where it is not by the rule of `prepare` in ink.py.
 *
 * @returns {Float32Array} [points - 1, 3]: steps in x and y, where the drawing's box is the unit
 *   square, and 1 at the last point of a stroke.
 */
export function prepare(strokes) {
  checkStrokes(strokes);
  const isRaw = strokes.some((stroke) => stroke.length === 3);
  const drawing = isRaw || isDense(strokes) ? simplify(strokes) : strokes;
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
    Array.from(stroke[axis], (value) => fround(fround(value - lower) / scale)),
  );
  return units.slice(1).map((unit, i) => fround(unit - units[i]));
}

function sum(values) {
  let total = 0;
  for (const value of values) {
    total += value;
  }
  return total;
}

/** Points `spacing` apart along a line; the first and the last stay. */
function resample({ xs, ys, steps, length }, spacing) {
  let count = Math.max(Math.ceil(length / spacing) - 1, 0);
  if (count * spacing >= length) { // by rounding
    count = Math.max(count - 1, 0);
  }
  const newXs = [xs[0]];
  const newYs = [ys[0]];
  let segment = 0;
  let reach = 0; // where the segment starts, along the line
  for (let number = 1; number <= count; number++) {
    const at = number * spacing;
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
