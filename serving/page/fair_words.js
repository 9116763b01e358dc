// Words for a game: those that the network knows well enough to be fair.

import { likeliest } from "./guesser.js";

// The share of a word's examples that it must name.
const MIN_SHARE = 0.5;

/**
 * Takes the first words that are fair; where there are too few, others fill up.
 *
 * @param {string[]} candidates in the order in which they are taken.
 * @param {number} count how many are wanted, at most.
 * @param {{examples: Map, guesser: Guesser}} app
 * @returns {Promise<string[]>}
 */
export async function fairWords(candidates, count, { examples, guesser }) {
  const fair = [];
  const unfair = [];
  for (const word of candidates) {
    if (fair.length === count) {
      break;
    }
    const drawings = examples.get(word) || [];
    let named = 0;
    for (const strokes of drawings) {
      const { words, probabilities } = await guesser.look(strokes);
      const [first] = likeliest(probabilities, words, 1);
      named += first.word === word;
    }
    (named >= MIN_SHARE * drawings.length ? fair : unfair).push(word);
  }
  return [...fair, ...unfair].slice(0, count);
}
