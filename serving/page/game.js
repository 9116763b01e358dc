// The game's rules: some words, twenty seconds each; right when the word's guess is above the
// threshold. Knows no page and no clock: whoever plays says what time it is, in seconds.

export const ROUNDS = 6;
export const SECONDS = 20;

export class Game {
  /**
   * @param {string[]} words to draw, one a round.
   * @param {number} threshold the probability above which a guess counts as said.
   */
  constructor(words, threshold) {
    this.threshold = threshold;
    this.rounds = words.map((word) => ({
      word,
      strokes: [],
      guess: null, // the last {word, probability}
      seconds: null, // when it was right; null while it is not
      over: false,
    }));
    this.number = -1;
    this.startedAt = null;
  }

  get round() {
    return this.rounds[this.number];
  }

  get isOver() {
    return this.number === this.rounds.length - 1 && this.round.over;
  }

  get missed() {
    return this.rounds.filter((round) => round.seconds === null).map((round) => round.word);
  }

  startRound(now) {
    this.number += 1;
    this.startedAt = now;
  }

  secondsLeft(now) {
    return Math.max(0, SECONDS - (now - this.startedAt));
  }

  /** Takes the time; the round may be over by it. */
  tick(now) {
    if (!this.round.over && this.secondsLeft(now) === 0) {
      this.round.over = true;
    }
  }

  /** Takes the likeliest guess for what is drawn so far. */
  hear(guess, strokes, now) {
    this.tick(now);
    if (this.round.over) {
      return;
    }
    this.round.guess = guess;
    this.round.strokes = strokes;
    if (guess.word === this.round.word && guess.probability > this.threshold) {
      this.round.seconds = now - this.startedAt;
      this.round.over = true;
    }
  }
}

/** Some of the words in a random order, none twice. */
export function drawWords(words, count, random = Math.random) {
  const left = [...words];
  const drawn = [];
  while (left.length && drawn.length < count) {
    drawn.push(...left.splice(Math.floor(random() * left.length), 1));
  }
  return drawn;
}
