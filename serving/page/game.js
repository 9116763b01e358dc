// The game's rules: some words, some time for each; right when the word's guess is above the
// threshold. Knows no page and no clock: who plays says what time it is, in seconds.

export const ROUNDS = 6;
export const SECONDS = [20, 40, null]; // to choose from; null is as long as it takes

export class Game {
  /**
   * @param {string[]} words to draw, one a round.
   * @param {number} threshold the probability above which a guess counts as said.
   * @param {number|null} seconds for each word; null for as long as it takes.
   */
  constructor(words, threshold, seconds) {
    this.threshold = threshold;
    this.seconds = seconds;
    this.rounds = words.map((word) => ({
      word,
      strokes: [],
      named: [], // what it was taken for on the way
      seconds: null, // when it was right; null while it is not
      skipped: false,
      over: false,
    }));
    this.number = -1;
    this.spent = 0; // of the round, before the last pause
    this.runningSince = null; // null in a pause
  }

  /** The game that `state` told of, in a pause. */
  static restored(state) {
    return Object.assign(new Game([], state.threshold, state.seconds), state);
  }

  /** What `restored` takes: what JSON can hold. */
  state(now) {
    const { threshold, seconds, rounds, number } = this;
    return { threshold, seconds, rounds, number, spent: this.elapsed(now) };
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
    this.spent = 0;
    this.runningSince = now;
  }

  pause(now) {
    this.spent = this.elapsed(now);
    this.runningSince = null;
  }

  goOn(now) {
    this.runningSince = now;
  }

  elapsed(now) {
    return this.spent + (this.runningSince === null ? 0 : now - this.runningSince);
  }

  secondsLeft(now) {
    return this.seconds === null ? Infinity : Math.max(0, this.seconds - this.elapsed(now));
  }

  /** Takes the time; the round may be over by it. */
  tick(now) {
    if (!this.round.over && this.secondsLeft(now) === 0) {
      this.round.over = true;
    }
  }

  /** Gives the word up; nothing happens once the round is over. */
  skip() {
    this.round.skipped = !this.round.over;
    this.round.over = true;
  }

  /**
   * Takes what is drawn so far.
   *
   * @param {{word: string, probability: number}|null} guess the likeliest, if one may be made.
   * @param {number[][][]} strokes
   * @param {string[]} named what it was taken for so far.
   */
  hear(guess, strokes, named, now) {
    this.tick(now);
    if (this.round.over) {
      return;
    }
    Object.assign(this.round, { strokes, named: [...named] });
    if (guess && guess.word === this.round.word && guess.probability > this.threshold) {
      this.round.seconds = this.elapsed(now);
      this.round.over = true;
    }
  }
}

/** Words in a random order. */
export function shuffled(words, random = Math.random) {
  const left = [...words];
  return words.map(() => left.splice(Math.floor(random() * left.length), 1)[0]);
}
