// Learns words from a few drawings of each, in closed form: kernel ridge regression on what the
// network makes of the drawings.
//
// A drawing's features are its embedding over the square root of its steps, measured as the last
// layer of the network does (`featureMatrix`). A word's score is a sum over the drawings that were
// kept, each weighted by how near it is. The scores solve a system of linear equations, so that
// leaving a drawing out takes no second learning. Shapes, with M rows, D features and K words:
//
//   features [M, D]   coefficients [M, K]   scores [K]
//
// A row is a drawing, the beginning of one, or a reference: a drawing of a word that the network
// knows, whose scores are to be 0.

import { BLOCK, blockProducts, factorize, invertFactor, padded } from "./matrices.js";

// All were chosen on words that the network had not seen; see benchmarks/check_learning.py.

// How much all directions of an embedding count alike; else as the last layer weighs them.
const EQUAL_SHARE = 0.6;
// What is added to the diagonal of the kernel: how much a row may be an exception. A beginning may
// well belong to several words.
const NOISE = 0.2;
const BEGINNING_NOISE = 0.7;
// Scores are divided by it for probabilities.
const TEMPERATURE = 0.1;
// Of the references, how many may be taken for one of the words.
const TAKEN = 0.03;

/** The label of a reference. */
export const REFERENCE = -1;

/**
 * What features are measured by: the Cholesky factor of the covariance of the last layer's weights
 * over the classes, mixed with a multiple of the identity of the same trace.
 *
 * @param {Float32Array} kernel [classes, D], a row a class.
 * @param {number} dimensions D.
 * @returns {Float64Array} [D, D], lower triangular.
 */
export function featureMatrix(kernel, dimensions) {
  const side = padded(dimensions);
  const classes = kernel.length / dimensions;
  const columns = padded(classes);
  const centred = new Float64Array(side * columns); // [D, classes]
  for (let i = 0; i < dimensions; i++) {
    let mean = 0;
    for (let c = 0; c < classes; c++) {
      mean += kernel[c * dimensions + i] / classes;
    }
    for (let c = 0; c < classes; c++) {
      centred[i * columns + c] = kernel[c * dimensions + i] - mean;
    }
  }
  const matrix = products(centred, side, columns);
  let trace = 0;
  for (let i = 0; i < dimensions; i++) {
    trace += matrix[i * side + i];
  }
  const equal = trace > 0 ? (EQUAL_SHARE * trace) / dimensions : 1;
  for (let i = 0; i < side; i++) {
    for (let j = 0; j <= i; j++) {
      matrix[i * side + j] *= 1 - EQUAL_SHARE;
    }
    matrix[i * side + i] = i < dimensions ? matrix[i * side + i] + equal : 1;
  }
  factorize(matrix, side);
  const factor = new Float64Array(dimensions * dimensions);
  for (let i = 0; i < dimensions; i++) {
    factor.set(matrix.subarray(i * side, i * side + i + 1), i * dimensions);
  }
  return factor;
}

/**
 * @param {Float32Array} embedding [D], summed over the steps.
 * @param {number} steps how many they are.
 * @param {Float64Array} matrix of `featureMatrix`.
 * @returns {Float32Array} [D].
 */
export function featuresOf(embedding, steps, matrix) {
  const dimensions = embedding.length;
  const features = new Float64Array(dimensions);
  for (let i = 0; i < dimensions; i++) {
    const value = embedding[i] / Math.sqrt(steps);
    for (let j = 0; j <= i; j++) {
      features[j] += value * matrix[i * dimensions + j];
    }
  }
  return Float32Array.from(features);
}

/**
 * Learns words.
 *
 * @param {object} rows
 * @param {Float32Array} rows.features [M, D].
 * @param {Int32Array} rows.labels [M], the word's number, or REFERENCE.
 * @param {Int32Array} rows.drawings [M], the number of the drawing that the row is of. A drawing's
 *   first row is the whole drawing, the next one a beginning of it.
 * @param {Float32Array} rows.rivals [M], the log probability of the likeliest word of the network,
 *   which a word has to beat where there are references.
 * @param {number} numWords K, at least 1.
 * @returns {{head: object, checked: object}} what guesses, see `scores`; and `check`'s answer.
 */
export function learn(rows, numWords) {
  const { labels } = rows;
  const count = labels.length;
  const dimensions = rows.features.length / count;
  const side = padded(count);
  const kinds = rowKinds(rows);
  const { features, scale } = scaled(rows.features, kinds, count, dimensions);
  const matrix = kernelMatrix(features, count, dimensions);
  const noises = rowNoises(labels, kinds, numWords);
  for (let i = 0; i < side; i++) {
    // The rows that fill up the last block know nothing of the others.
    matrix[i * side + i] = i < count ? 1 + noises[i] : 1;
  }
  factorize(matrix, side);
  const inverse = invertFactor(matrix, side);
  const coefficients = solve(inverse, side, labels, numWords);
  const withReferences = labels.includes(REFERENCE);
  const left = leaveOut({ inverse, side, coefficients, labels, kinds, numWords });
  const shift = withReferences ? rivalShift(left, labels, rows.rivals, numWords) : 0;
  const head = {
    numWords,
    dimensions,
    scale,
    shift,
    features,
    coefficients: Float32Array.from(coefficients.subarray(0, count * numWords)),
  };
  return { head, checked: check(left, labels, withReferences ? rows.rivals : null, numWords, shift) };
}

/**
 * The words' scores for a drawing: logits, which compete with the log probabilities of the network
 * where there were references.
 *
 * @param {object} head of `learn`.
 * @param {Float32Array} features [D], see `featuresOf`.
 * @returns {Float32Array} [K].
 */
export function scores(head, features) {
  const { numWords, dimensions, scale, shift, coefficients } = head;
  const rows = head.features;
  const sums = new Float64Array(numWords);
  for (let row = 0, at = 0; at < rows.length; row++) {
    let squares = 0;
    for (let i = 0; i < dimensions; i++, at++) {
      const difference = rows[at] - features[i] * scale;
      squares += difference * difference;
    }
    const near = Math.exp(-squares / 2);
    for (let word = 0; word < numWords; word++) {
      sums[word] += near * coefficients[row * numWords + word];
    }
  }
  return Float32Array.from(sums, (sum) => sum / TEMPERATURE - shift);
}

const WHOLE = 0;
const BEGINNING = 1;

/** Whether each row is a whole drawing or a beginning. */
function rowKinds({ drawings }) {
  return Uint8Array.from(drawings, (drawing, i) =>
    i > 0 && drawings[i - 1] === drawing ? BEGINNING : WHOLE,
  );
}

/** Features in units of how far whole drawings are from their mean. */
function scaled(values, kinds, count, dimensions) {
  const mean = new Float64Array(dimensions);
  const whole = kinds.reduce((sum, kind) => sum + (kind === WHOLE), 0);
  for (let row = 0; row < count; row++) {
    for (let i = 0; i < dimensions && kinds[row] === WHOLE; i++) {
      mean[i] += values[row * dimensions + i] / whole;
    }
  }
  let squares = 0;
  for (let row = 0; row < count; row++) {
    for (let i = 0; i < dimensions && kinds[row] === WHOLE; i++) {
      squares += (values[row * dimensions + i] - mean[i]) ** 2 / whole;
    }
  }
  const scale = squares > 0 ? 1 / Math.sqrt(squares) : 1;
  const features = new Float32Array(values.length);
  for (let i = 0; i < values.length; i++) {
    features[i] = values[i] * scale;
  }
  return { features, scale };
}

/** How near rows are to each other, 1 where they are the same: [side, side], the lower half. */
function kernelMatrix(features, count, dimensions) {
  const side = padded(count);
  const columns = padded(dimensions);
  const rows = new Float64Array(side * columns);
  for (let row = 0; row < count; row++) {
    rows.set(features.subarray(row * dimensions, (row + 1) * dimensions), row * columns);
  }
  const matrix = products(rows, side, columns);
  const squares = Float64Array.from({ length: side }, (_, i) => matrix[i * side + i]);
  for (let i = 0; i < side; i++) {
    for (let j = 0; j < i; j++) {
      const distance = squares[i] + squares[j] - 2 * matrix[i * side + j];
      matrix[i * side + j] = i < count ? Math.exp(-Math.max(distance, 0) / 2) : 0;
    }
  }
  return matrix;
}

/** The lower half of rows times themselves transposed: [side, side] of [side, columns]. */
function products(rows, side, columns) {
  const matrix = new Float64Array(side * side);
  const sums = new Float64Array(BLOCK * BLOCK);
  for (let row = 0; row < side; row += BLOCK) {
    for (let column = 0; column <= row; column += BLOCK) {
      blockProducts(rows, row, rows, column, columns, 0, columns, sums);
      for (let r = 0; r < BLOCK; r++) {
        matrix.set(sums.subarray(BLOCK * r, BLOCK * (r + 1)), (row + r) * side + column);
      }
    }
  }
  return matrix;
}

/** A word with many drawings weighs as much as one with few. */
function rowNoises(labels, kinds, numWords) {
  const counts = new Float64Array(numWords);
  labels.forEach((label, i) => {
    if (label !== REFERENCE && kinds[i] === WHOLE) {
      counts[label] += 1;
    }
  });
  const mean = counts.reduce((a, b) => a + b, 0) / numWords;
  return Float64Array.from(labels, (label, i) => {
    const noise = kinds[i] === WHOLE ? NOISE : BEGINNING_NOISE;
    return label === REFERENCE ? noise : (noise * counts[label]) / mean;
  });
}

/**
 * The coefficients [side, K]: the inverse of the kernel times the targets, which are 1 for the
 * row's word and 0 for the others.
 *
 * @param {Float64Array} inverse of `invertFactor`.
 */
function solve(inverse, side, labels, numWords) {
  const sums = new Float64Array(side * numWords); // U^T targets
  labels.forEach((label, i) => {
    for (let j = i; j < side && label !== REFERENCE; j++) {
      sums[j * numWords + label] += inverse[i * side + j];
    }
  });
  const coefficients = new Float64Array(side * numWords);
  for (let i = 0; i < labels.length; i++) {
    for (let j = i; j < side; j++) {
      const factor = inverse[i * side + j];
      for (let word = 0; word < numWords; word++) {
        coefficients[i * numWords + word] += factor * sums[j * numWords + word];
      }
    }
  }
  return coefficients;
}

/**
 * What the scores of each whole drawing would be, had neither it nor its beginning been kept: the
 * target minus the inverse of the drawing's own block of the kernel's inverse, times its rows of
 * the coefficients.
 *
 * @returns {{rows: Int32Array, scores: Float64Array}} the rows of whole drawings, and [rows, K].
 */
function leaveOut({ inverse, side, coefficients, labels, kinds, numWords }) {
  const rows = Int32Array.from(labels.keys()).filter((row) => kinds[row] === WHOLE);
  const results = new Float64Array(rows.length * numWords);
  const product = (i, j) => {
    let sum = 0;
    for (let p = Math.max(i, j); p < side; p++) {
      sum += inverse[i * side + p] * inverse[j * side + p];
    }
    return sum;
  };
  rows.forEach((row, i) => {
    const hasBeginning = row + 1 < labels.length && kinds[row + 1] === BEGINNING;
    const a = product(row, row);
    const b = hasBeginning ? product(row, row + 1) : 0;
    const d = hasBeginning ? product(row + 1, row + 1) : 1;
    const determinant = a * d - b * b;
    for (let word = 0; word < numWords; word++) {
      const whole = coefficients[row * numWords + word];
      const begun = hasBeginning ? coefficients[(row + 1) * numWords + word] : 0;
      const residual = (d * whole - b * begun) / determinant;
      results[i * numWords + word] = (labels[row] === word ? 1 : 0) - residual;
    }
  });
  return { rows, scores: results };
}

/** The best word's number and logit, of a row of scores. */
function bestOf(values, start, numWords) {
  let word = 0;
  for (let other = 1; other < numWords; other++) {
    if (values[start + other] > values[start + word]) {
      word = other;
    }
  }
  return { word, logit: values[start + word] / TEMPERATURE };
}

/** What to take from the logits for all but a few references to stay with the network. */
function rivalShift(left, labels, rivals, numWords) {
  const margins = [];
  left.rows.forEach((row, i) => {
    if (labels[row] === REFERENCE) {
      margins.push(bestOf(left.scores, i * numWords, numWords).logit - rivals[row]);
    }
  });
  margins.sort((a, b) => b - a);
  return margins[Math.floor(TAKEN * margins.length)];
}

/**
 * How good the words are, by leaving each drawing out in turn.
 *
 * @returns {{guesses: Int32Array, taken: number}} of each drawing, in their order and without the
 *   references, the word that it is taken for, or REFERENCE for one of the network's; and the share
 *   of the references that are taken for one of the words.
 */
function check(left, labels, rivals, numWords, shift) {
  const guesses = [];
  let references = 0;
  let taken = 0;
  left.rows.forEach((row, i) => {
    const { word, logit } = bestOf(left.scores, i * numWords, numWords);
    const isBeaten = rivals !== null && logit - shift <= rivals[row];
    if (labels[row] !== REFERENCE) {
      guesses.push(isBeaten ? REFERENCE : word);
    } else {
      references += 1;
      taken += !isBeaten;
    }
  });
  return { guesses: Int32Array.from(guesses), taken: references ? taken / references : 0 };
}
