// The page: what is drawn is guessed, and shown by the panel that is open.

import { Board } from "./board.js";
import { Collection } from "./collection.js";
import { DrawPanel } from "./draw.js";
import { byId, setBusy } from "./elements.js";
import { unpackExamples } from "./examples.js";
import { Guesser, latestOnly, likeliest } from "./guesser.js";
import { addCommands, showCommands } from "./keys.js";
import { ModeChoice } from "./modes.js";
import { Namer } from "./namer.js";
import { OwnWords } from "./own_words.js";
import { PlayPanel } from "./play.js";
import { DrawingError } from "./points.js";
import { pristinePage, savedWith } from "./save_page.js";
import { SeePanel } from "./see.js";
import { recall, remember } from "./session.js";
import { countPoints } from "./sketch.js";
import { addTabs, showTab } from "./tabs.js";
import { Talk } from "./talk.js";
import { TeachPanel } from "./teach.js";
import { Voice } from "./voice.js";
import { WordsPanel } from "./words.js";

const TOP_GUESSES = 5;
const GREETING = "Draw, and I guess!";

/** Starts the page; `source` is the program's own text, for its workers. */
export function startPage(source) {
  const pristine = pristinePage();
  byId("app").hidden = false;
  const app = new App(JSON.parse(byId("model").textContent), source, pristine);
  offerInterface(app);
  app.start();
  byId("dead").remove();
}

class App {
  constructor(model, source, pristine) {
    const { words, threshold } = model;
    this.networkWords = words;
    this.threshold = threshold;
    this.pristine = pristine;
    this.newGuesser = () =>
      new Guesser({ ...model, weights: byId("weights").textContent }, source, () =>
        this.tell("Guessing had stopped and was started again."),
      );
    this.guesser = this.newGuesser();
    this.examples = unpackExamples(byId("examples").textContent, words);
    const saved = savedWith(pristine);
    this.collection = new Collection(saved);
    this.ownWords = new OwnWords({
      networkWords: words,
      examples: this.examples,
      collection: this.collection,
      newGuesser: this.newGuesser,
      onChange: () => this.hearOfWords(),
    });
    this.chosenMode = recall("mode") || (saved ? "own" : null);
    this.vocabulary = this.ownWords.vocabulary;
    this.namer = new Namer(words, threshold);
    this.talk = new Talk(new Voice(byId("voice")));
    this.heard = null; // the number of the drawing that was heard last
    this.open = "draw";
  }

  /** The words that are guessed. */
  get words() {
    return this.vocabulary.words;
  }

  start() {
    const commands = { undo: byId("undo"), redo: byId("redo"), clear: byId("clear") };
    const look = latestOnly(() => this.look());
    this.refresh = () => {
      setBusy(byId("guesses"), true); // until what is drawn now is guessed
      look();
    };
    this.board = new Board(byId("board"), () => {
      showCommands(this.board, commands);
      byId("empty").hidden = this.board.strokes.length > 0;
      byId("tools").classList.toggle("away", this.board.isDrawing);
      this.keepDrawing();
      this.refresh();
    });
    this.panels = {
      draw: new DrawPanel(this),
      play: new PlayPanel(this),
      words: new WordsPanel(this),
      see: new SeePanel(this),
      teach: new TeachPanel(this),
    };
    this.modeChoice = new ModeChoice([byId("draw-mode"), byId("teach-mode")], this.ownWords, (mode) =>
      this.chooseMode(mode),
    );
    addTabs(Object.keys(this.panels), (name) => this.show(name));
    addCommands(this.board, commands);
    addAbout();
    byId("board").addEventListener("pointermove", ({ clientX, clientY }) => this.talk.lookAt(clientX, clientY));
    this.talk.say(GREETING);
    const drawing = recall("drawing");
    if (drawing) {
      this.board.restore(drawing);
    }
    if (this.guesser.isLocal) {
      this.tell("This browser runs no Web Workers: the page still guesses, but drawing may stutter.");
    }
    if (PlayPanel.isWaiting()) {
      this.show("play");
    }
  }

  /** Shows a panel, unless the one that is open must not be left. */
  show(name) {
    const before = this.panels[this.open];
    if (name === this.open || (before.holds && before.holds())) {
      return name === this.open;
    }
    before.hide();
    this.open = name;
    showTab(Object.keys(this.panels), name);
    byId("main").dataset.open = name;
    this.panels[name].show();
    return true;
  }

  /** Guesses the words of a mode; the choice is kept for as long as the window is open. */
  chooseMode(mode) {
    this.chosenMode = mode;
    remember("mode", mode);
    this.learn(mode);
  }

  /** Learns what is kept. The first time that it suffices, the user's words are guessed. */
  learnKept(isAdded = false) {
    if (isAdded && this.chosenMode === null && this.ownWords.offers("own")) {
      this.chooseMode("own");
    } else {
      this.learn(this.chosenMode || "network");
    }
  }

  async learn(mode) {
    try {
      await this.ownWords.setMode(mode);
    } catch (error) {
      this.tell(`Your words were not learnt: ${error.message}.`);
    }
    this.modeChoice.render();
  }

  /** Takes the words that were learnt, unless a game needs others. */
  hearOfWords() {
    const { vocabulary } = this.ownWords;
    this.panels.teach.renderReport();
    if (this.vocabulary === vocabulary || !this.panels.play.canGoOnWith(vocabulary.words)) {
      return;
    }
    this.vocabulary = vocabulary;
    this.guesser.know(this.vocabulary);
    this.namer = new Namer(this.words, this.threshold);
    this.panels.play.hearOfWords();
    this.modeChoice.render();
    this.refresh();
  }

  /** A drawing that shows a word: the user's, else an example; null for none. */
  pictureOf(word) {
    const [example] = this.examples.get(word) || [];
    const [kept] = this.collection.byWord().get(word) || [];
    return kept ? kept[1].strokes : example || null;
  }

  showBoard(isShown) {
    byId("main").classList.toggle("without-board", !isShown);
    this.board.fit();
  }

  /** Asks for a drawing of a word. */
  startDrawing(word) {
    this.show("draw");
    this.board.clear();
    this.panels.draw.setGoal(word);
    byId("board").focus({ preventScroll: true });
  }

  /** Shows a message below everything else. */
  tell(text) {
    byId("message").textContent = text;
  }

  /** Says something to users of a screen reader. */
  say(text) {
    byId("said").textContent = text;
  }

  /** Keeps the drawing for a reload; a game keeps its own. */
  keepDrawing() {
    const { play } = this.panels || {};
    if (play && !play.isPlaying && !this.board.isDrawing) {
      remember("drawing", this.board.strokes.length ? this.board.snapshot() : null);
    }
  }

  /** Looks at the drawing and tells the panels. */
  async look() {
    const { board, namer, vocabulary } = this;
    const { number, version } = board;
    const strokes = board.copy();
    const seen = countPoints(strokes) > 1 ? await this.ask(strokes) : null;
    if (number !== board.number || vocabulary !== this.vocabulary) {
      return; // the drawing or the words have changed and are guessed next
    }
    if (number !== this.heard) {
      this.heard = number;
      namer.reset();
    }
    const { isDrawing } = board;
    let guesses = null;
    let answer = null;
    if (seen) {
      const means = namer.hear(seen);
      // What is shown while one draws flickers less; in the end it is what the network says.
      guesses = likeliest(isDrawing ? means : seen.probabilities, this.words, TOP_GUESSES);
      answer = namer.isSure ? likeliest(seen.probabilities, this.words, 1)[0] : null;
    }
    for (const [name, panel] of Object.entries(this.panels)) {
      if (panel.hear && (name === this.open || panel.alwaysHears)) {
        panel.hear({ strokes, guesses, namer, answer, isDrawing });
      }
    }
    this.sayGuesses(guesses, isDrawing);
    setBusy(byId("guesses"), version !== board.version);
  }

  async ask(strokes) {
    try {
      return await this.guesser.look(strokes);
    } catch (error) {
      if (!(error instanceof DrawingError)) {
        this.tell(`No guess: ${error.message}. Keep drawing, or open the page again.`);
      }
      return null; // a single point is no drawing yet
    }
  }

  sayGuesses(guesses, isDrawing) {
    const { play } = this.panels;
    if (guesses && (!play.isPlaying || play.stage === "round")) {
      this.talk.name(this.namer, play.isPlaying ? play.game.round.word : undefined);
    } else if (!guesses && !play.isPlaying && !this.panels.draw.goal) {
      this.talk.say(GREETING);
    }
    if (guesses && !isDrawing && !play.isPlaying) {
      const shares = guesses.map(({ word, probability }) => `${word} ${Math.round(100 * probability)}%`);
      this.say(`${byId("bubble").textContent} ${shares.join(", ")}`);
    }
  }
}

function addAbout() {
  const about = byId("about");
  byId("about-open").addEventListener("click", () => about.showModal());
  byId("about-close").addEventListener("click", () => about.close());
}

/** What other scripts may ask. A separate worker answers: drawing never waits. */
function offerInterface(app) {
  const { networkWords: words, threshold } = app;
  let guesser = null;
  const ask = () => (guesser = guesser || app.newGuesser());
  window.drawingClassifier = {
    words,
    threshold,
    /** A promise of `[{word, probability}]`, likeliest first; rejects with the reason. */
    classify: async (strokes) =>
      likeliest((await ask().look(strokes)).probabilities, words, words.length),
    /** A promise of the strokes as the published simplified drawings have them. */
    simplify: async (strokes) => ask().simplify(strokes),
  };
}
