// The words that are guessed: the network's, the user's, or both together.

import { scores } from "./learn.js";
import { softmax } from "./network.js";

/** Which words are guessed. */
export const MODES = ["network", "own", "both"];

/**
 * @param {string} mode one of MODES.
 * @param {string[]} networkWords
 * @param {string[]} ownWords that were learnt, in the order of the head.
 * @param {object|null} head what `learn` gave; none for the network's words alone.
 * @returns {{words: string[], head: object|null, places: number[]}} with the place of each of the
 *   user's words among the words. A word that the network knows as well has one place.
 */
export function makeVocabulary(mode, networkWords, ownWords, head) {
  if (mode === "network") {
    return { words: networkWords, head: null, places: [] };
  }
  if (mode === "own") {
    return { words: ownWords, head, places: [...ownWords.keys()] };
  }
  const words = [...networkWords];
  const numbers = new Map(words.map((word, i) => [word, i]));
  const places = ownWords.map((word) => (numbers.has(word) ? numbers.get(word) : words.push(word) - 1));
  return { words, head, places };
}

/**
 * The probability of each word of a vocabulary. Alone, the user's words share all of it; beside the
 * network's, their scores compete with its log probabilities.
 *
 * @param {Float32Array} probabilities of the network's words.
 * @param {Float32Array} features of the same drawing.
 * @param {object} vocabulary of `makeVocabulary`.
 * @returns {Float32Array}
 */
export function wordProbabilities(probabilities, features, { words, head, places }) {
  if (!head) {
    return probabilities;
  }
  const logits = scores(head, features);
  if (words.length === places.length) {
    return softmax(logits);
  }
  const weights = new Float64Array(words.length);
  weights.set(probabilities);
  places.forEach((place, i) => {
    weights[place] += Math.exp(logits[i]);
  });
  const sum = weights.reduce((a, b) => a + b);
  return Float32Array.from(weights, (weight) => weight / sum);
}
