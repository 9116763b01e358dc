// Which word is named during a drawing: the first place flickers, the name should not.

// The weight of a new look in the running mean.
const WEIGHT = 0.35;
// Below this nothing is named.
const MIN_PROBABILITY = 0.2;
// Another word is named once it is so many times as likely.
const LEAD = 2;

export class Namer {
  /**
   * @param {string[]} words that the network knows.
   * @param {number} threshold the probability above which a guess is an answer.
   */
  constructor(words, threshold) {
    this.words = words;
    this.threshold = threshold;
    this.reset();
  }

  /** Begins with another drawing. */
  reset() {
    this.means = null;
    this.named = []; // the words so far, one after the other
    this.isSure = false;
  }

  /** The word as of now; null where it has no idea. */
  get word() {
    return this.hasIdea ? this.named[this.named.length - 1] : null;
  }

  /**
   * Takes a look.
   *
   * @param {Float32Array} probabilities of the words.
   * @param {boolean} isScribble
   * @returns {Float32Array} the means that the name is taken from.
   */
  hear({ probabilities, isScribble }) {
    this.means = this.means
      ? this.means.map((mean, i) => mean + WEIGHT * (probabilities[i] - mean))
      : Float32Array.from(probabilities);
    const now = indexOfMax(probabilities);
    this.isSure = !isScribble && probabilities[now] > this.threshold;
    const first = this.isSure ? now : this.leader();
    this.hasIdea = this.isSure || (!isScribble && this.means[first] >= MIN_PROBABILITY);
    if (this.hasIdea && this.words[first] !== this.named[this.named.length - 1]) {
      this.named.push(this.words[first]);
    }
    return this.means;
  }

  leader() {
    const first = indexOfMax(this.means);
    const before = this.words.indexOf(this.named[this.named.length - 1]);
    const stays =
      before >= 0 &&
      this.means[before] >= MIN_PROBABILITY &&
      this.means[first] < LEAD * this.means[before];
    return stays ? before : first;
  }
}

function indexOfMax(values) {
  let first = 0;
  values.forEach((value, i) => {
    if (value > values[first]) {
      first = i;
    }
  });
  return first;
}
