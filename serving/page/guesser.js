// Asks the network what drawings show, in a Web Worker: the thread that draws never waits.

import { Network, unpackWeights } from "./network.js";
import { DrawingError, prepare, simplify } from "./points.js";

/** What can be asked, by name; a function of the strokes. */
function makeAnswers({ params, variables, weights }) {
  const bytes = Uint8Array.from(atob(weights), (character) => character.charCodeAt(0));
  const network = new Network(params, unpackWeights(variables, bytes.buffer));
  return {
    classify: (strokes) => network.probabilities(prepare(strokes)),
    simplify,
  };
}

function answer(answers, { question, strokes }) {
  try {
    return { value: answers[question](strokes) };
  } catch (error) {
    if (error instanceof DrawingError) {
      return { reason: error.message };
    }
    throw error;
  }
}

/** Answers questions in a worker; the first message is the model. */
export function serve(scope) {
  let answers = null;
  scope.onmessage = ({ data }) => {
    if (answers) {
      scope.postMessage(answer(answers, data));
    } else {
      answers = makeAnswers(data);
    }
  };
}

/** Takes questions, answers them in their order. */
export class Guesser {
  /**
   * @param {object} model `params`, `variables` and base64 `weights`, see drawing_page.py.
   * @param {string} source the program, for the worker to run.
   */
  constructor(model, source) {
    this.waiting = [];
    try {
      const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
      this.worker = new Worker(url);
      this.worker.postMessage(model);
      this.worker.onmessage = ({ data }) => this.waiting.shift().resolve(data);
      this.worker.onerror = (event) => {
        event.preventDefault();
        this.becomeLocal(model);
      };
    } catch {
      this.becomeLocal(model);
    }
  }

  /** Whether the answers are computed on the thread that draws, as there is no worker. */
  get isLocal() {
    return !this.worker;
  }

  becomeLocal(model) {
    this.worker = null;
    this.answers = makeAnswers(model);
    const waiting = this.waiting.splice(0);
    for (const { resolve, message } of waiting) {
      resolve(answer(this.answers, message));
    }
  }

  /** @returns {Promise<Float32Array>} the probability of each word; rejects with a DrawingError. */
  classify(strokes) {
    return this.ask({ question: "classify", strokes });
  }

  /** @returns {Promise<number[][][]>} the simplified strokes; rejects with a DrawingError. */
  simplify(strokes) {
    return this.ask({ question: "simplify", strokes });
  }

  async ask(message) {
    const { value, reason } = await new Promise((resolve) => {
      if (this.worker) {
        this.waiting.push({ resolve, message });
        this.worker.postMessage(message);
      } else {
        setTimeout(() => resolve(answer(this.answers, message)), 0);
      }
    });
    if (reason !== undefined) {
      throw new DrawingError(reason);
    }
    return value;
  }
}

/** Runs a task again when it was asked for while it ran; what was asked in between is left out. */
export function latestOnly(task) {
  let running = false;
  let wanted = false;
  return async () => {
    wanted = true;
    if (running) {
      return;
    }
    running = true;
    try {
      while (wanted) {
        wanted = false;
        await task();
      }
    } finally {
      running = false;
    }
  };
}

/** The likeliest words, likeliest first, at most `count`. */
export function likeliest(probabilities, words, count) {
  return words
    .map((word, i) => ({ word, probability: probabilities[i] }))
    .sort((a, b) => b.probability - a.probability)
    .slice(0, count);
}
