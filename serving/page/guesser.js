// Asks the network what drawings show, in a Web Worker: the thread that draws never waits.

import { learn } from "./learn.js";
import { Network, unpackWeights } from "./network.js";
import { checkStrokes, DrawingError, prepare, simplify } from "./points.js";
import { isScribble } from "./scribble.js";
import { Student } from "./study.js";

// A worker that has not answered for so long has been killed, or its answer would come too late.
const PATIENCE_MILLISECONDS = 8000;
const LEARNING_PATIENCE_MILLISECONDS = 60000;
const MAX_TRIES = 2;

/** What can be asked, by name; a function of the question. */
function makeAnswers({ params, variables, weights, words }) {
  const bytes = Uint8Array.from(atob(weights), (character) => character.charCodeAt(0));
  const student = new Student(new Network(params, unpackWeights(variables, bytes.buffer)), words);
  return {
    look: ({ strokes }) => {
      const ink = prepare(strokes);
      const { words, probabilities, isOwn } = student.guess(ink);
      // A scribble that was taught as a word is named by that word.
      const isWild = !isOwn && isScribble(ink, Math.max(...probabilities));
      return { words, probabilities, isScribble: isWild };
    },
    simplify: ({ strokes }) => simplify(strokes),
    study: ({ strokes }) => student.study(strokes),
    know: ({ vocabulary }) => student.know(vocabulary),
    learn: ({ rows, numWords }) => learn(rows, numWords),
  };
}

function answer(answers, question) {
  try {
    return { value: answers[question.question](question) };
  } catch (error) {
    return { reason: error.message, isDrawingError: error instanceof DrawingError };
  }
}

/** Answers questions in a worker; the first message is the model. */
export function serve(scope) {
  let answers = null;
  scope.onmessage = ({ data }) => {
    if (answers) {
      scope.postMessage({ id: data.id, ...answer(answers, data) });
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
   * @param {function(): void} onRestart told when the worker had to be started again.
   */
  constructor(model, source, onRestart = () => {}) {
    this.model = model;
    this.source = source;
    this.onRestart = onRestart;
    this.waiting = new Map(); // what was asked, by number, in the order of asking
    this.numAsked = 0;
    this.timer = null;
    this.vocabulary = null;
    this.start();
  }

  /** Whether the answers are computed on the thread that draws, as there is no worker. */
  get isLocal() {
    return !this.worker;
  }

  start() {
    try {
      const url = URL.createObjectURL(new Blob([this.source], { type: "text/javascript" }));
      this.worker = new Worker(url);
      this.worker.postMessage(this.model);
      if (this.vocabulary) {
        this.know(this.vocabulary);
      }
    } catch {
      this.becomeLocal();
      return;
    }
    this.worker.onmessage = ({ data }) => this.take(data);
    this.worker.onerror = (event) => {
      event.preventDefault();
      this.becomeLocal();
    };
  }

  becomeLocal() {
    this.worker = null;
    clearTimeout(this.timer);
    this.answers = makeAnswers(this.model);
    this.answers.know({ vocabulary: this.vocabulary });
    for (const [id, { message }] of this.waiting) {
      this.take({ id, ...answer(this.answers, message) });
    }
  }

  take({ id, value, reason, isDrawingError }) {
    const asked = this.waiting.get(id);
    if (!asked) {
      return; // given up meanwhile
    }
    this.waiting.delete(id);
    this.watch();
    if (reason === undefined) {
      asked.resolve(value);
    } else {
      asked.reject(isDrawingError ? new DrawingError(reason) : new Error(reason));
    }
  }

  /** Waits for the next answer, and starts another worker where none comes. */
  watch() {
    clearTimeout(this.timer);
    const [next] = this.waiting.values();
    if (this.worker && next) {
      const isLearning = next.message.question === "learn";
      const patience = isLearning ? LEARNING_PATIENCE_MILLISECONDS : PATIENCE_MILLISECONDS;
      this.timer = setTimeout(() => this.restart(), patience);
    }
  }

  restart() {
    this.worker.terminate();
    for (const [id, asked] of this.waiting) {
      if (++asked.tries > MAX_TRIES) {
        this.take({ id, reason: "the network did not answer" });
      }
    }
    this.start();
    if (this.worker) {
      this.waiting.forEach(({ message }, id) => this.worker.postMessage({ id, ...message }));
      this.watch();
    }
    this.onRestart();
  }

  /** Guesses the words of a vocabulary from the next question on; see vocabulary.js. */
  know(vocabulary) {
    this.vocabulary = vocabulary;
    const message = { question: "know", vocabulary };
    if (this.worker) {
      this.worker.postMessage(message);
    } else {
      answer(this.answers, message);
    }
  }

  /**
   * @returns {Promise<{words: string[], probabilities: Float32Array, isScribble: boolean}>} the
   *   words and the probability of each, and whether it is better to name none; rejects with a
   *   DrawingError.
   */
  look(strokes) {
    return this.askOf(strokes, "look");
  }

  /** @returns {Promise<number[][][]>} the simplified strokes; rejects with a DrawingError. */
  simplify(strokes) {
    return this.askOf(strokes, "simplify");
  }

  /** @returns {Promise<object>} what there is to learn from strokes; see `Student.study`. */
  study(strokes) {
    return this.askOf(strokes, "study");
  }

  /** @returns {Promise<object>} what was learnt; see `learn`. */
  learn(rows, numWords) {
    return this.ask({ question: "learn", rows, numWords });
  }

  async askOf(strokes, question) {
    checkStrokes(strokes); // a function among them could not be posted
    return this.ask({ question, strokes });
  }

  ask(message) {
    return new Promise((resolve, reject) => {
      const id = this.numAsked++;
      if (this.worker) {
        this.worker.postMessage({ id, ...message });
      }
      this.waiting.set(id, { resolve, reject, message, tries: 1 });
      if (this.worker) {
        if (this.waiting.size === 1) {
          this.watch();
        }
      } else {
        setTimeout(() => this.take({ id, ...answer(this.answers, message) }), 0);
      }
    });
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
