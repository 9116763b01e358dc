// The user's words, learnt from the kept drawings in a separate worker.

import { latestOnly } from "./guesser.js";
import { REFERENCE } from "./learn.js";
import { beginningOf } from "./study.js";
import { makeVocabulary } from "./vocabulary.js";

// A word is learnt from its second drawing on.
const FEWEST_DRAWINGS = 2;
// Rows to learn from, as many as take a few seconds. With more, beginnings are left out first, then the
// oldest drawings of the words that have most.
const MAX_ROWS = 2000;

/**
 * The words that are learnt, each with its drawings.
 *
 * @param {Map<string, [*, object][]>} byWord as `Collection.byWord` gives it.
 * @returns {{word: string, entries: [*, object][]}[]}
 */
export function learnableWords(byWord) {
  const words = [...byWord]
    .map(([word, entries]) => ({ word, entries }))
    .filter(({ entries }) => entries.length >= FEWEST_DRAWINGS);
  const counts = words.map(({ entries }) => entries.length);
  let most = Math.max(...counts, 0);
  const total = () => counts.reduce((sum, count) => sum + Math.min(count, most), 0);
  while (total() > MAX_ROWS && most > FEWEST_DRAWINGS) {
    most -= 1;
  }
  return words.map(({ word, entries }) => ({ word, entries: entries.slice(-most) }));
}

/**
 * How well the user's words are recognised, by the guesses that `learn` made of each drawing without it.
 *
 * @param {string[]} words
 * @param {number[]} labels of the drawings, the word's number.
 * @param {number[]} guesses of the same drawings, the word's number or REFERENCE.
 * @returns {{right: number, count: number, byWord: Map<string, {right: number, count: number}>,
 *   confusions: {word: string, other: string|null, count: number}[]}} confusions with the most
 *   frequent first; null is a word of the network's.
 */
export function report(words, labels, guesses) {
  const byWord = new Map(words.map((word) => [word, { right: 0, count: 0 }]));
  const pairs = new Map();
  labels.forEach((label, i) => {
    const tally = byWord.get(words[label]);
    tally.count += 1;
    if (guesses[i] === label) {
      tally.right += 1;
      return;
    }
    const other = guesses[i] === REFERENCE ? null : words[guesses[i]];
    const name = JSON.stringify([label, guesses[i]]);
    const pair = pairs.get(name) || { word: words[label], other, count: 0 };
    pair.count += 1;
    pairs.set(name, pair);
  });
  const right = [...byWord.values()].reduce((sum, tally) => sum + tally.right, 0);
  const confusions = [...pairs.values()].sort((a, b) => b.count - a.count);
  return { right, count: labels.length, byWord, confusions };
}

/** Learns what is kept, and says what it has learnt. */
export class OwnWords {
  /**
   * @param {object} options
   * @param {string[]} options.networkWords
   * @param {Map<string, number[][][][]>} options.examples drawings of the network's words by others.
   * @param {Collection} options.collection
   * @param {function(): Guesser} options.newGuesser for a worker that learns.
   * @param {function(OwnWords): void} options.onChange told when a vocabulary is learnt, and while
   *   drawings are studied.
   */
  constructor({ networkWords, examples, collection, newGuesser, onChange }) {
    this.networkWords = networkWords;
    this.examples = examples;
    this.collection = collection;
    this.newGuesser = newGuesser;
    this.onChange = onChange;
    this.guesser = null;
    this.studied = new WeakMap(); // rows of drawings, by their strokes
    this.mode = "network";
    this.progress = null; // {done, count} while drawings are studied
    this.report = null; // of the words that were learnt, see `report`; with `taken`, the network's share
    this.networkVocabulary = makeVocabulary("network", networkWords, [], null);
    this.vocabulary = this.networkVocabulary;
    this.refresh = latestOnly(() => this.learn());
  }

  /** Whether there is enough for a mode. */
  offers(mode) {
    const { length } = learnableWords(this.collection.byWord());
    return mode === "network" || (mode === "own" ? length >= 2 : length >= 1 && this.examples.size > 0);
  }

  /** @returns {Promise<void>} when the mode's words are learnt. */
  setMode(mode) {
    this.mode = mode;
    return this.refresh();
  }

  async learn() {
    const { mode } = this;
    if (!this.offers(mode) || mode === "network") {
      this.take(this.networkVocabulary, null);
      return;
    }
    const learnt = learnableWords(this.collection.byWord());
    const words = learnt.map(({ word }) => word);
    const rows = await this.rowsOf(learnt, mode === "both" ? this.references(words) : []);
    if (mode !== this.mode) {
      return; // another was chosen meanwhile
    }
    const { head, checked } = await this.worker().learn(rows, words.length);
    const wholes = rows.drawings.map((drawing, i, all) => drawing !== all[i - 1]);
    const labels = [...rows.labels].filter((label, i) => wholes[i] && label !== REFERENCE);
    const taken = mode === "both" ? checked.taken : null;
    const newReport = { ...report(words, labels, checked.guesses), taken };
    this.take(makeVocabulary(mode, this.networkWords, words, head), newReport);
  }

  take(vocabulary, newReport) {
    this.progress = null;
    this.report = newReport;
    this.vocabulary = vocabulary;
    this.onChange(this);
  }

  worker() {
    this.guesser = this.guesser || this.newGuesser();
    return this.guesser;
  }

  /** A drawing of each of the network's words, except those that the user taught as well. */
  references(ownWords) {
    return [...this.examples]
      .filter(([word, drawings]) => drawings.length && !ownWords.includes(word))
      .map(([, [drawing]]) => drawing);
  }

  /** What `learn` takes: the rows of drawings, their beginnings and references. */
  async rowsOf(learnt, references) {
    const drawings = learnt.flatMap(({ entries }, label) =>
      entries.map(([, drawing]) => ({ label, strokes: drawing.strokes })),
    );
    const withBeginnings = 2 * drawings.length <= MAX_ROWS;
    const ownNumbers = new Set(learnt.map(({ word }) => this.networkWords.indexOf(word)));
    const list = [];
    drawings.push(...references.map((strokes) => ({ label: REFERENCE, strokes })));
    for (const [number, { label, strokes }] of drawings.entries()) {
      const isWhole = label === REFERENCE || !withBeginnings;
      for (const { features, rivals } of await this.study(strokes, isWhole)) {
        const rival = rivals.find(([word]) => !ownNumbers.has(word)) || rivals[rivals.length - 1];
        list.push({ label, number, features, rival: rival[1] });
      }
      this.progress = { done: number + 1, count: drawings.length };
      this.onChange(this);
    }
    const dimensions = list[0].features.length;
    const features = new Float32Array(list.length * dimensions);
    list.forEach((row, i) => features.set(row.features, i * dimensions));
    return {
      features,
      labels: Int32Array.from(list, ({ label }) => label),
      drawings: Int32Array.from(list, ({ number }) => number),
      rivals: Float32Array.from(list, ({ rival }) => rival),
    };
  }

  /** The rows of a drawing: the whole, and its beginning where it has one. */
  async study(strokes, isWhole) {
    if (!this.studied.has(strokes)) {
      this.studied.set(strokes, []);
    }
    const rows = this.studied.get(strokes);
    if (!rows.length) {
      rows.push(await this.worker().study(strokes));
    }
    const beginning = isWhole || rows.length > 1 ? null : beginningOf(strokes);
    if (beginning) {
      rows.push(await this.worker().study(beginning));
    }
    return isWhole ? rows.slice(0, 1) : rows;
  }
}
