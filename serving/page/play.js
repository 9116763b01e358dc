// The game: six words, one after the other, and how it went.

import { byId, button, guessRow, make, percent, thumbnail } from "./elements.js";
import { drawWords, Game, ROUNDS, SECONDS } from "./game.js";

const TICK_MILLISECONDS = 100;

export class PlayPanel {
  constructor(app) {
    this.app = app;
    this.panel = byId("panel-play");
    this.task = byId("task");
    this.game = null;
    this.timer = null;
    this.showStart();
  }

  show() {
    this.app.showBoard(false);
  }

  /** Leaves the game, which is over then. */
  hide() {
    clearInterval(this.timer);
    this.game = null;
    this.task.hidden = true;
    this.app.board.setEnabled(true);
    this.app.showBoard(true);
    this.showStart();
  }

  /** Takes what is guessed while one draws. */
  hear({ strokes, guesses }) {
    if (!this.game || this.game.round.over || !guesses) {
      return;
    }
    this.game.hear(guesses[0], strokes, this.now());
    const { word } = this.game.round;
    this.guesses.replaceChildren(...guesses.map((guess) => guessRow(guess, guess.word === word)));
    this.look();
  }

  now() {
    return performance.now() / 1000;
  }

  showStart() {
    const { words } = this.app;
    const rounds = Math.min(ROUNDS, words.length);
    this.panel.replaceChildren(
      make("h2", {}, "Play"),
      make(
        "p",
        {},
        `${rounds} words, ${SECONDS} seconds for each. Draw the word; it is right when the ` +
          `network says it with more than ${percent(this.app.threshold)}.`,
      ),
      button("Start", () => this.start(drawWords(words, ROUNDS)), { class: "main" }),
    );
  }

  start(words) {
    this.game = new Game(words, this.app.threshold);
    this.nextRound();
  }

  nextRound() {
    this.game.startRound(this.now());
    this.app.board.clear();
    const { number, rounds, round } = this.game;
    this.clock = make("span", { class: "clock", role: "timer" });
    this.task.replaceChildren("Draw: ", make("strong", {}, round.word), this.clock);
    this.task.hidden = false;
    this.result = make("p", {}, "It guesses:");
    this.guesses = make("ol", { class: "guesses" });
    this.panel.replaceChildren(
      make("h2", {}, `Word ${number + 1} of ${rounds.length}`),
      this.result,
      this.guesses,
    );
    this.app.showBoard(true);
    this.app.say(`Draw: ${round.word}`);
    this.app.board.setEnabled(true);
    clearInterval(this.timer);
    this.timer = setInterval(() => this.look(), TICK_MILLISECONDS);
    this.look();
  }

  /** Looks at the clock and whether the round is over. */
  look() {
    const { game } = this;
    game.tick(this.now());
    this.clock.textContent = `${Math.ceil(game.secondsLeft(this.now()))} s`;
    if (game.round.over) {
      clearInterval(this.timer);
      this.app.board.setEnabled(false);
      this.showRoundOver();
    }
  }

  showRoundOver() {
    const { round, isOver } = this.game;
    const text =
      round.seconds === null
        ? `Time is up: not recognised as ${round.word}.`
        : `It is ${round.word}! Recognised after ${round.seconds.toFixed(1)} seconds.`;
    const next = isOver
      ? button("See how it went", () => this.showEnd(), { class: "main" })
      : button("Next word", () => this.nextRound(), { class: "main" });
    this.result.replaceWith(
      make("p", { class: round.seconds === null ? "missed" : "right" }, text),
      next,
    );
    this.app.say(text);
    next.focus();
  }

  showEnd() {
    const { rounds, missed } = this.game;
    const cards = rounds.map((round) => {
      const said = round.guess
        ? `${round.guess.word}, ${percent(round.guess.probability)}`
        : "nothing was drawn";
      const how =
        round.seconds === null ? `missed; last guess: ${said}` : `${round.seconds.toFixed(1)} s`;
      return make(
        "li",
        { class: round.seconds === null ? "missed" : "right" },
        thumbnail(round.strokes, `Your drawing of ${round.word}`),
        make("strong", {}, round.word),
        make("span", {}, how),
      );
    });
    const heading = make(
      "h2",
      { tabindex: "-1" },
      `${rounds.length - missed.length} of ${rounds.length} recognised`,
    );
    this.panel.replaceChildren(
      heading,
      make("ul", { class: "cards" }, ...cards),
      button("Play again", () => this.start(drawWords(this.app.words, ROUNDS)), { class: "main" }),
    );
    if (missed.length) {
      this.panel.append(button("Play the missed words", () => this.start(missed)));
    }
    this.task.hidden = true;
    this.app.board.clear();
    this.app.showBoard(false);
    heading.focus();
  }
}
