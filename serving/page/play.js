// The game: a word, a breath, a round, the next word by itself; and how it went.

import { Clock } from "./clock.js";
import { celebrate } from "./confetti.js";
import { button, byId, guessRow, make } from "./elements.js";
import { endView, outcome } from "./ending.js";
import { fairWords } from "./fair_words.js";
import { Game, ROUNDS, shuffled } from "./game.js";
import { pauseCard, roundCard, startView, wordCard } from "./play_views.js";
import { withArticle } from "./sentences.js";
import { recall, remember } from "./session.js";

const TICK_MILLISECONDS = 100;
const BREATH_SECONDS = 3; // the word is shown before the clock runs
const RIGHT_SECONDS = 3; // until the next word comes by itself
const MISSED_SECONDS = 6;

export class PlayPanel {
  constructor(app) {
    this.app = app;
    this.panel = byId("panel-play");
    this.task = byId("task");
    this.card = byId("card");
    this.game = null;
    this.chosen = null; // a promise of the next game's words
    this.stage = "start"; // then "word", "round", "over", one after the other, and "end"
    this.isPaused = false;
    this.until = Infinity; // when the next stage begins by itself, in seconds
    this.before = null; // what was drawn before the game
    document.addEventListener("visibilitychange", () => this.noteVisibility());
    window.addEventListener("pagehide", () => this.keep());
  }

  /** Whether a game is under way, or waits after a reload. */
  static isWaiting() {
    return recall("game") !== null;
  }

  get isPlaying() {
    return ["word", "round", "over"].includes(this.stage);
  }

  /** Whether a game, if there is one, can be won with these words. */
  canGoOnWith(words) {
    return !this.isPlaying || this.game.rounds.every(({ word }) => words.includes(word));
  }

  /** Takes note that other words are guessed now. */
  hearOfWords() {
    this.chosen = null;
    if (this.stage === "start" && !this.panel.hidden) {
      this.showStart();
    }
  }

  show() {
    const kept = recall("game");
    if (kept) {
      this.before = kept.before;
      this.game = Game.restored(kept.game);
      this.stage = this.game.number < 0 || this.game.round.over ? "over" : "round";
      this.beginGame();
      this.app.board.restore(kept.drawing);
      this.showRound();
      this.pause();
    } else {
      this.showStart();
    }
  }

  /** Whether the panel stays: a game asks before it ends. */
  holds() {
    if (this.isPlaying) {
      this.pause();
    }
    return this.isPlaying;
  }

  hide() {
    this.stage = "start";
    this.app.showBoard(true);
  }

  /** Takes what is guessed while one draws. */
  hear({ strokes, guesses, namer, answer }) {
    if (this.stage !== "round" || this.isPaused) {
      return;
    }
    const { game } = this;
    const rows = guesses || [];
    this.guesses.replaceChildren(...rows.map((row) => guessRow(row, { isSaid: row.word === game.round.word })));
    if (guesses) {
      game.hear(answer, strokes, namer.named, this.now());
      this.look();
    }
  }

  now() {
    return performance.now() / 1000;
  }

  showStart() {
    this.app.hearOfWords(); // learnt during a game
    const { words } = this.app;
    const rounds = Math.min(ROUNDS, words.length);
    this.stage = "start";
    this.app.showBoard(false);
    this.choose();
    const start = (seconds) => this.startWithChosen(seconds);
    this.panel.replaceChildren(startView(this.app, rounds, start));
  }

  /** Begins to choose words, which takes a moment. */
  choose() {
    const words = shuffled(this.app.words);
    this.chosen =
      this.chosen || fairWords(words, ROUNDS, this.app).catch(() => words.slice(0, ROUNDS));
  }

  async startWithChosen(seconds) {
    const words = await this.chosen;
    if (!this.isPlaying) {
      this.chosen = null;
      this.start(words, seconds);
    }
  }

  start(words, seconds) {
    this.before = this.app.board.snapshot();
    this.game = new Game(words, this.app.threshold, seconds);
    this.beginGame();
    this.showWord();
  }

  beginGame() {
    byId("app").classList.add("playing");
    this.app.showBoard(true);
    clearInterval(this.timer);
    this.timer = setInterval(() => this.look(), TICK_MILLISECONDS);
  }

  /** The word of the next round, and a breath. */
  showWord() {
    const { game } = this;
    this.stage = "word";
    this.app.board.startAnew();
    this.app.board.setEnabled(false);
    const number = game.number + 1;
    const { word } = game.rounds[number];
    const { length: count } = game.rounds;
    const facts = { number: number + 1, count, word, seconds: game.seconds };
    this.wait(BREATH_SECONDS);
    this.task.hidden = true;
    this.panel.replaceChildren();
    this.showCard(wordCard(facts, () => this.beginRound()));
    this.app.talk.say(number ? "And now …" : "Ready?");
    this.app.say(`Word ${number + 1} of ${count}: draw ${word}`);
  }

  beginRound() {
    this.game.startRound(this.now());
    this.stage = "round";
    this.showRound();
    this.app.board.setEnabled(true);
    this.app.talk.say("I am watching …");
    byId("board").focus({ preventScroll: true });
    this.look();
  }

  showRound() {
    const { game } = this;
    this.until = Infinity;
    this.card.hidden = true;
    this.clock = new Clock((text) => this.app.say(text));
    const word = game.number < 0 ? "" : game.round.word;
    this.task.replaceChildren(
      make("p", {}, "Draw ", make("strong", {}, word)),
      this.clock.element,
    );
    this.task.hidden = false;
    this.guesses = make("ol", { class: "guesses" });
    this.panel.replaceChildren(
      make("h2", {}, `Word ${game.number + 1} of ${game.rounds.length}`),
      this.guesses,
      make(
        "div",
        { class: "actions" },
        button("Skip", () => this.skip()),
        button("Pause", () => this.pause()),
      ),
    );
  }

  /** Looks at the clock: at the round's, or at when the next stage begins. */
  look() {
    const { game } = this;
    const now = this.now();
    if (this.isPaused || !this.isPlaying) {
      return;
    }
    if (this.stage === "round") {
      game.tick(now);
      this.clock.show(game.secondsLeft(now), game.seconds);
      if (game.round.over) {
        this.showRoundOver();
      }
    } else if (now >= this.until) {
      this.next();
    }
  }

  /** Lets the next stage begin by itself, unless there is no time limit. */
  wait(seconds) {
    this.until = this.game.seconds === null ? Infinity : this.now() + seconds;
  }

  next() {
    if (this.stage === "word") {
      this.beginRound();
    } else if (this.game.isOver) {
      this.showEnd();
    } else {
      this.showWord();
    }
  }

  skip() {
    this.game.skip();
    this.look();
  }

  showRoundOver() {
    const { round, isOver } = this.game;
    const isRight = round.seconds !== null;
    this.stage = "over";
    this.app.board.setEnabled(false);
    this.wait(isRight ? RIGHT_SECONDS : MISSED_SECONDS);
    const examples = (this.app.examples.get(round.word) || []).slice(0, 3);
    const children = roundCard(round, isOver, examples, () => this.next());
    this.showCard(children, "banner");
    this.showActions(false);
    this.app.say(children[1].textContent);
    if (isRight) {
      this.app.talk.say(`I know, it’s ${withArticle(round.word)}!`);
      celebrate(byId("confetti"));
    } else {
      this.app.talk.say("I did not see it …");
    }
  }

  showCard(children, kind = "") {
    this.card.className = `card ${kind}`;
    this.card.replaceChildren(...children);
    this.card.hidden = false;
    // A round may end between two keys of a drawing, which must not press a button.
    this.card.querySelector(kind === "banner" ? "h2" : "button").focus({ preventScroll: true });
  }

  /** Shows or hides the buttons that skip and pause a round. */
  showActions(areShown) {
    for (const actions of this.panel.querySelectorAll(".actions")) {
      actions.classList.toggle("away", !areShown);
    }
  }

  pause() {
    if (this.isPaused) {
      return;
    }
    this.isPaused = true;
    this.game.pause(this.now());
    this.app.board.setEnabled(false);
    this.showActions(false);
    this.showCard(pauseCard(this.game, () => this.goOn(), () => this.leave()));
    this.app.say("Paused");
  }

  goOn() {
    this.isPaused = false;
    if (this.stage === "round") {
      this.card.hidden = true;
      this.showActions(true);
      this.game.goOn(this.now());
      this.app.board.setEnabled(true);
      byId("board").focus({ preventScroll: true });
      this.look();
    } else if (this.stage === "word") {
      this.showWord();
    } else {
      this.next();
    }
  }

  noteVisibility() {
    if (document.hidden && this.isPlaying) {
      this.pause();
      this.keep(); // a phone may end the page without another word
    }
  }

  /** Keeps the game for after a reload; none where there is none. */
  keep() {
    const isKept = this.isPlaying && this.game.rounds.length;
    remember(
      "game",
      isKept
        ? {
            game: this.game.state(this.now()),
            drawing: this.app.board.snapshot(),
            before: this.before,
          }
        : null,
    );
  }

  /** Ends the game for good: the page is as it was before. */
  leave() {
    this.stop();
    this.showStart();
    this.panel.querySelector("button.main").focus();
  }

  stop() {
    clearInterval(this.timer);
    this.stage = "end";
    this.isPaused = false;
    this.keep();
    this.card.hidden = true;
    this.task.hidden = true;
    byId("app").classList.remove("playing");
    this.app.board.setEnabled(true);
    this.app.board.restore(this.before);
  }

  showEnd() {
    const { game } = this;
    this.stop();
    this.app.showBoard(false);
    this.choose();
    const { view, play } = endView(game, this.app.examples, {
      onAgain: () => this.startWithChosen(game.seconds),
      onMissed: () => this.start(game.missed, game.seconds),
    });
    this.panel.replaceChildren(view);
    this.app.say(outcome(game));
    view.querySelector("h2").focus({ preventScroll: true });
    play();
  }
}
