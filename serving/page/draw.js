// Drawing anything, or a chosen word: the likeliest guesses.

import { celebrate } from "./confetti.js";
import { button, byId, guessRow, make } from "./elements.js";
import { withArticle } from "./sentences.js";
import { sketch, sketches } from "./sketch.js";

export class DrawPanel {
  constructor(app) {
    this.app = app;
    this.list = byId("guesses");
    this.hint = byId("hint");
    this.goalElement = byId("goal");
    this.goal = null; // a word to draw
    this.alwaysHears = true;
  }

  show() {}

  hide() {}

  hear({ guesses, namer, isDrawing }) {
    this.hint.hidden = Boolean(guesses) || this.goal !== null;
    const rows = (guesses || []).map((guess) =>
      guessRow(guess, {
        isSaid: namer.isSure && guess.word === namer.word,
        picture: this.pictureOf(guess.word),
      }),
    );
    this.list.replaceChildren(...rows);
    if (guesses && this.goal !== null && namer.isSure && namer.word === this.goal && !isDrawing) {
      celebrate(byId("confetti"));
      this.setGoal(null);
    }
  }

  pictureOf(word) {
    const drawing = this.app.pictureOf(word);
    return drawing ? sketch(drawing) : "";
  }

  /** Asks for a drawing of a word; of nothing in particular for null. */
  setGoal(word) {
    this.goal = word;
    this.goalElement.hidden = word === null;
    this.hint.hidden = word !== null || this.list.children.length > 0;
    if (word === null) {
      this.goalElement.replaceChildren();
      return;
    }
    const examples = (this.app.examples.get(word) || []).slice(0, 3);
    const name = withArticle(word);
    this.goalElement.replaceChildren(
      make("h2", {}, "Draw ", make("strong", {}, word)),
      ...(examples.length
        ? [make("p", { class: "soft" }, "How others drew it:"), sketches(examples, `${word}, drawn by others`)]
        : []),
      button("Something else", () => this.setGoal(null)),
    );
    this.app.talk.say(`Draw ${name}!`);
  }
}
