// The network's forward pass on plain typed arrays: what model.py computes, for one drawing.

// Added to the forget gate at run time, as everywhere that the weights are used.
const FORGET_BIAS = 1;
const BATCH_NORM_EPSILON = 1e-3;

/**
 * Reads what drawing_page.py packs: first the float32 values of all, then the int16 ones.
 *
 * @param {{name: string, shape: number[]}[]} variables vectors are stored as they are; of the
 *   others each column (last axis) as whole numbers from -32767 to 32767 times a scale of its own.
 * @param {ArrayBuffer} buffer
 * @returns {Object<string, Float32Array>} values by name, in row-major order.
 */
export function unpackWeights(variables, buffer) {
  const columnsOf = ({ shape }) => shape[shape.length - 1];
  const sizeOf = ({ shape }) => shape.reduce((product, side) => product * side, 1);
  const numFloats = variables.reduce((sum, variable) => sum + columnsOf(variable), 0);
  const floats = new Float32Array(buffer, 0, numFloats);
  const integers = new Int16Array(buffer, 4 * numFloats);
  const weights = {};
  let nextFloat = 0;
  let nextInteger = 0;
  for (const variable of variables) {
    const columns = columnsOf(variable);
    const scales = floats.subarray(nextFloat, nextFloat + columns);
    nextFloat += columns;
    if (variable.shape.length === 1) {
      weights[variable.name] = scales;
      continue;
    }
    const values = new Float32Array(sizeOf(variable));
    for (let i = 0; i < values.length; i++) {
      values[i] = integers[nextInteger + i] * scales[i % columns];
    }
    nextInteger += values.length;
    weights[variable.name] = values;
  }
  return weights;
}

/** A network with its weights, ready to classify one drawing after another. */
export class Network {
  /**
   * @param {object} params the hyper-parameters, as hparams.json has them.
   * @param {Object<string, Float32Array>} weights by the names of the checkpoint.
   */
  constructor(params, weights) {
    this.convolutions = params.num_conv.map((filters, i) => ({
      filters,
      length: params.conv_len[i],
      kernel: weights[`conv1d_${i}/kernel`],
      bias: weights[`conv1d_${i}/bias`],
      norm: params.batch_norm ? batchNorm(weights, i) : null,
    }));
    this.positions = params.positions;
    const channels = this.positions ? 5 : 3;
    let inputs = params.num_conv.length ? params.num_conv[params.num_conv.length - 1] : channels;
    this.layers = [];
    for (let layer = 0; layer < params.num_layers; layer++) {
      const scope = `rnn_classification/cell_${layer}/bidirectional_rnn`;
      this.layers.push(
        ["fw", "bw"].map((direction) => {
          const cell = `${scope}/${direction}/basic_lstm_cell`;
          const kernel = weights[`${cell}/kernel`];
          return lstmCell(kernel, weights[`${cell}/bias`], inputs, params.num_nodes);
        }),
      );
      inputs = 2 * params.num_nodes;
    }
    this.dense = {
      kernel: transpose(weights["dense/kernel"], inputs, params.num_classes),
      bias: weights["dense/bias"],
    };
  }

  /**
   * @param {Float32Array} ink [rows, 3], see points.js.
   * @returns {Float32Array} the probability of each class.
   */
  probabilities(ink) {
    return softmax(this.logits(this.embedding(ink)));
  }

  /**
   * @param {Float32Array} ink [rows, 3].
   * @returns {Float32Array} [2 * nodes], the summed outputs of the last LSTM layer.
   */
  embedding(ink) {
    const steps = ink.length / 3;
    let values = this.positions ? addPositions(ink, steps) : ink;
    for (const convolution of this.convolutions) {
      values = convolve(values, steps, convolution);
    }
    for (const [forward, backward] of this.layers) {
      const hidden = new Float32Array(steps * 2 * forward.nodes);
      runLstm(forward, values, steps, hidden, false);
      runLstm(backward, values, steps, hidden, true);
      values = hidden;
    }
    return sumOverSteps(values, steps);
  }

  /** @returns {Float32Array} the classes' logits, the temperature taken into account. */
  logits(embedding) {
    const logits = Float32Array.from(this.dense.bias);
    addProducts(this.dense.kernel, embedding, 1, embedding.length, logits, logits.length);
    return logits;
  }
}

/** Ink with the position of each row's point, from the middle of the drawing's square: [steps, 5]. */
function addPositions(ink, steps) {
  const rows = new Float32Array(5 * steps);
  for (let axis = 0; axis < 2; axis++) {
    let at = 0;
    let lower = 0; // the first row leads from the origin to the second point
    for (let step = 0; step < steps; step++) {
      rows[5 * step + axis] = ink[3 * step + axis];
      at += ink[3 * step + axis];
      rows[5 * step + 3 + axis] = at;
      lower = Math.min(lower, at);
    }
    for (let step = 0; step < steps; step++) {
      rows[5 * step + 3 + axis] -= lower + 0.5;
    }
  }
  for (let step = 0; step < steps; step++) {
    rows[5 * step + 2] = ink[3 * step + 2];
  }
  return rows;
}

/** [columns, rows] of [rows, columns]. */
function transpose(values, rows, columns) {
  const turned = new Float32Array(values.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      turned[column * rows + row] = values[row * columns + column];
    }
  }
  return turned;
}

/** Batch normalisation by the moving averages, as a factor and a summand a channel. */
function batchNorm(weights, i) {
  const scope = i ? `batch_normalization_${i}` : "batch_normalization";
  const variance = weights[`${scope}/moving_variance`];
  const factors = weights[`${scope}/gamma`].map(
    (gamma, channel) => gamma / Math.sqrt(variance[channel] + BATCH_NORM_EPSILON),
  );
  const mean = weights[`${scope}/moving_mean`];
  const summands = weights[`${scope}/beta`].map(
    (beta, channel) => beta - mean[channel] * factors[channel],
  );
  return { factors, summands };
}

/** A convolution over time with as many steps out as in; zeros stand before and after them. */
function convolve(values, steps, { filters, length, kernel, bias, norm }) {
  const channels = values.length / steps;
  if (norm) {
    values = values.map((value, i) => value * norm.factors[i % channels] + norm.summands[i % channels]);
  }
  const before = (length - 1) >> 1;
  const results = new Float32Array(steps * filters);
  const sums = new Float64Array(filters);
  for (let step = 0; step < steps; step++) {
    sums.set(bias);
    const first = Math.max(0, before - step);
    const end = Math.min(length, steps + before - step);
    for (let tap = first; tap < end; tap++) {
      for (let channel = 0; channel < channels; channel++) {
        const value = values[(step + tap - before) * channels + channel];
        const row = (tap * channels + channel) * filters;
        for (let filter = 0; filter < filters; filter++) {
          sums[filter] += value * kernel[row + filter];
        }
      }
    }
    results.set(sums, step * filters);
  }
  return results;
}

/** The weights of an LSTM in one direction, those of the inputs apart, a row a gate's unit. */
function lstmCell(kernel, bias, inputs, nodes) {
  const gates = 4 * nodes;
  const ofInputs = transpose(kernel.subarray(0, inputs * gates), inputs, gates);
  const ofState = transpose(kernel.subarray(inputs * gates), nodes, gates);
  const biases = Float32Array.from(bias);
  for (let unit = 2 * nodes; unit < 3 * nodes; unit++) {
    biases[unit] += FORGET_BIAS; // gates in the order i, c, f, o
  }
  return { ofInputs, ofState, biases, inputs, nodes };
}

/**
 * Runs an LSTM over time and writes its outputs, [steps, 2 * nodes], into its half of `hidden`.
 */
function runLstm(cell, values, steps, hidden, backwards) {
  const { ofInputs, ofState, biases, inputs, nodes } = cell;
  const gates = 4 * nodes;
  const products = new Float32Array(steps * gates);
  for (let step = 0; step < steps; step++) {
    products.set(biases, step * gates);
  }
  addProducts(ofInputs, values, steps, inputs, products, gates);
  const state = new Float32Array(nodes);
  const output = new Float32Array(nodes);
  const half = backwards ? nodes : 0;
  for (let done = 0; done < steps; done++) {
    const step = backwards ? steps - 1 - done : done;
    const sums = products.subarray(step * gates, (step + 1) * gates);
    if (done) {
      addProducts(ofState, output, 1, nodes, sums, gates);
    }
    for (let unit = 0; unit < nodes; unit++) {
      const candidate = tanh(sums[nodes + unit]);
      const kept = sigmoid(sums[2 * nodes + unit]) * state[unit];
      state[unit] = kept + sigmoid(sums[unit]) * candidate;
      output[unit] = sigmoid(sums[3 * nodes + unit]) * tanh(state[unit]);
    }
    hidden.set(output, step * 2 * nodes + half);
  }
}

/**
 * Adds the products of rows of weights and of steps' values: sums[step, row] += weights[row, :] *
 * values[step, :]. Four rows at once for two steps: what is loaded is used more than once.
 */
function addProducts(weights, values, steps, columns, sums, rows) {
  let step = 0;
  for (; step + 1 < steps; step += 2) {
    addProductsOfTwo(weights, values, step, columns, sums, rows);
  }
  if (step < steps) {
    addProductsOfOne(weights, values, step, columns, sums, rows);
  }
}

function addProductsOfTwo(weights, values, step, columns, sums, rows) {
  const from = step * columns;
  let row = 0;
  for (; row + 3 < rows; row += 4) {
    let a0 = 0, a1 = 0, a2 = 0, a3 = 0;
    let b0 = 0, b1 = 0, b2 = 0, b3 = 0;
    let at = row * columns;
    for (let i = 0; i < columns; i++, at++) {
      const a = values[from + i];
      const b = values[from + columns + i];
      const w0 = weights[at];
      const w1 = weights[at + columns];
      const w2 = weights[at + 2 * columns];
      const w3 = weights[at + 3 * columns];
      a0 += w0 * a;
      a1 += w1 * a;
      a2 += w2 * a;
      a3 += w3 * a;
      b0 += w0 * b;
      b1 += w1 * b;
      b2 += w2 * b;
      b3 += w3 * b;
    }
    const to = step * rows + row;
    sums[to] += a0;
    sums[to + 1] += a1;
    sums[to + 2] += a2;
    sums[to + 3] += a3;
    sums[to + rows] += b0;
    sums[to + rows + 1] += b1;
    sums[to + rows + 2] += b2;
    sums[to + rows + 3] += b3;
  }
  for (; row < rows; row++) {
    sums[step * rows + row] += product(weights, row * columns, values, from, columns);
    sums[(step + 1) * rows + row] += product(weights, row * columns, values, from + columns, columns);
  }
}

function addProductsOfOne(weights, values, step, columns, sums, rows) {
  const from = step * columns;
  let row = 0;
  for (; row + 3 < rows; row += 4) {
    let a0 = 0, a1 = 0, a2 = 0, a3 = 0;
    let at = row * columns;
    for (let i = 0; i < columns; i++, at++) {
      const a = values[from + i];
      a0 += weights[at] * a;
      a1 += weights[at + columns] * a;
      a2 += weights[at + 2 * columns] * a;
      a3 += weights[at + 3 * columns] * a;
    }
    const to = step * rows + row;
    sums[to] += a0;
    sums[to + 1] += a1;
    sums[to + 2] += a2;
    sums[to + 3] += a3;
  }
  for (; row < rows; row++) {
    sums[step * rows + row] += product(weights, row * columns, values, from, columns);
  }
}

function product(weights, row, values, from, columns) {
  let sum = 0;
  for (let i = 0; i < columns; i++) {
    sum += weights[row + i] * values[from + i];
  }
  return sum;
}

function sigmoid(x) {
  return 1 / (1 + Math.exp(-x));
}

function tanh(x) {
  return 2 / (1 + Math.exp(-2 * x)) - 1;
}

function sumOverSteps(values, steps) {
  const columns = values.length / steps;
  const sums = new Float32Array(columns);
  for (let i = 0; i < values.length; i++) {
    sums[i % columns] += values[i];
  }
  return sums;
}

/** @returns {Float32Array} the probabilities of logits. */
export function softmax(logits) {
  const highest = logits.reduce((a, b) => Math.max(a, b));
  const powers = logits.map((logit) => Math.exp(logit - highest));
  const sum = powers.reduce((a, b) => a + b);
  return powers.map((power) => power / sum);
}
