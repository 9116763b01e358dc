// The page: what is drawn is guessed, and shown by the panel that is open.

import { Board } from "./board.js";
import { Collection } from "./collection.js";
import { byId, guessRow } from "./elements.js";
import { Guesser, latestOnly, likeliest } from "./guesser.js";
import { PlayPanel } from "./play.js";
import { DrawingError } from "./points.js";
import { SeePanel } from "./see.js";
import { TeachPanel } from "./teach.js";

const TOP_GUESSES = 5;

class DrawPanel {
  constructor(app) {
    this.app = app;
    this.list = byId("guesses");
    this.hint = byId("hint");
    this.alwaysHears = true;
  }

  show() {}

  hide() {}

  hear({ guesses }) {
    this.hint.hidden = Boolean(guesses);
    const rows = (guesses || []).map((guess) =>
      guessRow(guess, guess.probability > this.app.threshold),
    );
    this.list.replaceChildren(...rows);
  }
}

/** Starts the page; `source` is the program's own text, for its worker. */
export function startPage(source) {
  const model = JSON.parse(byId("model").textContent);
  const { words, threshold } = model;
  const guesser = new Guesser({ ...model, weights: byId("weights").textContent }, source);
  const app = { words, threshold, guesser, collection: new Collection() };
  app.say = (text) => {
    byId("said").textContent = text;
  };
  app.showBoard = (isShown) => {
    byId("main").classList.toggle("without-board", !isShown);
  };
  app.tell = (text) => {
    byId("message").textContent = text;
  };
  window.drawingClassifier = {
    words,
    threshold,
    /** A promise of `[{word, probability}]`, likeliest first; rejects with the reason. */
    classify: async (strokes) => likeliest(await guesser.classify(strokes), words, words.length),
    /** A promise of the strokes as the published simplified drawings have them. */
    simplify: (strokes) => guesser.simplify(strokes),
  };
  const panels = {};
  let open = "draw";
  let isDrawing = false;

  const refresh = latestOnly(async () => {
    const { number } = app.board;
    const strokes = app.board.copy();
    let guesses = null;
    if (strokes.length) {
      try {
        guesses = likeliest(await guesser.classify(strokes), words, TOP_GUESSES);
      } catch (error) {
        if (!(error instanceof DrawingError)) {
          throw error;
        } // a single point: more will come
      }
    }
    if (number !== app.board.number) {
      return; // it was taken back meanwhile; what is there now is guessed next
    }
    for (const [name, panel] of Object.entries(panels)) {
      if (name === open || panel.alwaysHears) {
        panel.hear({ strokes, guesses, isDrawing });
      }
    }
    if (guesses && !isDrawing && open !== "play") {
      app.say(guesses.map(({ word, probability }) => `${word} ${Math.round(100 * probability)}%`).join(", "));
    }
  });

  app.board = new Board(byId("board"), (stillDrawing) => {
    isDrawing = stillDrawing;
    byId("undo").disabled = byId("clear").disabled =
      !app.board.enabled || !app.board.strokes.length;
    refresh();
  });
  panels.draw = new DrawPanel(app);
  panels.play = new PlayPanel(app);
  panels.see = new SeePanel(app);
  panels.teach = new TeachPanel(app);

  const show = (name) => {
    panels[open].hide();
    open = name;
    for (const other of Object.keys(panels)) {
      const tab = byId(`tab-${other}`);
      tab.setAttribute("aria-selected", String(other === name));
      tab.tabIndex = other === name ? 0 : -1;
      byId(`panel-${other}`).hidden = other !== name;
    }
    panels[name].show();
    app.tell("");
  };
  addTabs(Object.keys(panels), show);
  addTools(app);
  if (guesser.isLocal) {
    app.tell("This browser runs no Web Worker: guesses come, but drawing may stutter.");
  }
}

function addTabs(names, show) {
  names.forEach((name, i) => {
    const tab = byId(`tab-${name}`);
    tab.addEventListener("click", () => show(name));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (step) {
        const next = names[(i + step + names.length) % names.length];
        show(next);
        byId(`tab-${next}`).focus();
      }
    });
  });
}

function addTools({ board }) {
  byId("undo").addEventListener("click", () => board.undo());
  byId("clear").addEventListener("click", () => board.clear());
  document.addEventListener("keydown", (event) => {
    const isTyping = ["INPUT", "TEXTAREA"].includes(event.target.tagName);
    if (isTyping || !board.enabled || !board.strokes.length) {
      return;
    }
    if (event.key === "z" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      board.undo();
    } else if (event.key === "Delete" || event.key === "Backspace") {
      event.preventDefault();
      board.clear();
    }
  });
}
