// What the network makes of a drawing, for learning from it.

import { featureMatrix, featuresOf } from "./learn.js";
import { softmax } from "./network.js";
import { prepare } from "./points.js";
import { wordProbabilities } from "./vocabulary.js";

// How many of the network's likeliest words are kept as rivals of the user's.
const NUM_RIVALS = 8;

/** A network that also knows the user's words, once it is told them. */
export class Student {
  /**
   * @param {Network} network
   * @param {string[]} words that it knows.
   */
  constructor(network, words) {
    this.network = network;
    this.words = words;
    this.vocabulary = null; // the network's words
    this.matrix = null; // made when first needed
  }

  /**
   * Which words to guess from now on; see `makeVocabulary`.
   *
   * @param {object|null} vocabulary null for the network's words.
   */
  know(vocabulary) {
    this.vocabulary = vocabulary;
  }

  /**
   * @returns {{words: string[], probabilities: Float32Array, isOwn: boolean}} of the vocabulary's
   *   words, and whether the likeliest is one of the user's.
   */
  guess(ink) {
    const embedding = this.network.embedding(ink);
    const probabilities = softmax(this.network.logits(embedding));
    if (!this.vocabulary || !this.vocabulary.head) {
      return { words: this.words, probabilities, isOwn: false };
    }
    const { words, places } = this.vocabulary;
    const joint = wordProbabilities(probabilities, this.features(embedding, ink), this.vocabulary);
    const likeliest = joint.indexOf(Math.max(...joint));
    return { words, probabilities: joint, isOwn: places.includes(likeliest) };
  }

  /**
   * @returns {{features: Float32Array, rivals: [number, number][]}} see `learn`; and of the
   *   network's likeliest words the number and the log probability, likeliest first.
   */
  study(strokes) {
    const ink = prepare(strokes);
    const embedding = this.network.embedding(ink);
    const probabilities = softmax(this.network.logits(embedding));
    const rivals = [...probabilities]
      .map((probability, i) => [i, Math.log(probability)])
      .sort((a, b) => b[1] - a[1])
      .slice(0, NUM_RIVALS);
    return { features: this.features(embedding, ink), rivals };
  }

  features(embedding, ink) {
    this.matrix = this.matrix || featureMatrix(this.network.dense.kernel, embedding.length);
    return featuresOf(embedding, ink.length / 3, this.matrix);
  }
}

/** The first half of a drawing's strokes; null where that is no drawing, or the whole one. */
export function beginningOf(strokes) {
  const begun = strokes.slice(0, Math.ceil(strokes.length / 2));
  const isPoint = begun.length === 1 && begun[0][0].length === 1;
  return begun.length < strokes.length && !isPoint ? begun : null;
}
