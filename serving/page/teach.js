// Drawings of one's own words: kept here, saved as files that create_dataset.py reads.

import { byId, button, make, thumbnail } from "./elements.js";
import { formatLine, newKeyId, readDrawings } from "./ndjson.js";

const MAX_THUMBNAILS = 60; // of a word

export class TeachPanel {
  constructor(app) {
    this.app = app;
    this.word = byId("teach-word");
    this.list = byId("teach-list");
    this.opened = new Set(); // words whose drawings are shown
    this.guesses = null;
    this.alwaysHears = true; // what was guessed before it is opened
    byId("teach-words").append(...app.words.map((word) => make("option", { value: word })));
    byId("teach-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.keep();
    });
    byId("teach-files").addEventListener("change", (event) => this.open(event.target));
    byId("teach-save-all").addEventListener("click", () => this.saveAll());
    this.load();
  }

  async load() {
    const { collection } = this.app;
    await collection.load();
    if (!collection.isLasting) {
      this.app.tell("This browser keeps nothing when the page is closed: save drawings as files.");
    }
    this.render();
  }

  show() {}

  hide() {}

  hear({ guesses }) {
    this.guesses = guesses;
  }

  /** Keeps what is drawn as a drawing of the word. */
  async keep() {
    const { board, collection } = this.app;
    const word = this.word.value.trim();
    const strokes = board.copy();
    if (!word || strokes.reduce((sum, [xs]) => sum + xs.length, 0) < 2) {
      this.app.tell(word ? "Draw something first." : "Choose or type a word first.");
      return;
    }
    const drawing = {
      word,
      strokes,
      timestamp: `${new Date().toISOString().replace("T", " ").replace("Z", "")} UTC`,
      recognized: Boolean(this.guesses) && this.guesses[0].word === word,
      keyId: newKeyId(),
    };
    if (await this.change(() => collection.add([drawing]))) {
      board.clear();
      const count = collection.byWord().get(word).length;
      this.app.tell(`Kept ${count} of ${word}.`);
    }
  }

  async open(input) {
    for (const file of input.files) {
      this.app.tell(`Opening ${file.name} ...`);
      const { drawings, skipped, cut } = await readDrawings(file);
      if (drawings.length && !(await this.change(() => this.app.collection.add(drawings)))) {
        break;
      }
      const reasons = [...skipped].map(([reason, count]) => `${reason} (${count})`);
      this.app.tell(
        `${file.name}: ${drawings.length} drawings` +
          (reasons.length ? `; lines skipped: ${reasons.join(", ")}` : "") +
          (cut ? "; the rest of the file was left" : ""),
      );
    }
    input.value = "";
  }

  async change(action) {
    try {
      await action();
    } catch (error) {
      this.app.tell(`That could not be kept: ${error.message || error}. Save files and delete some.`);
      return false;
    }
    this.render();
    return true;
  }

  save(word, entries) {
    const lines = entries.map(([, drawing]) => formatLine(drawing));
    const url = URL.createObjectURL(new Blob(lines, { type: "application/x-ndjson" }));
    const name = `${word.replace(/[^\p{L}\p{N} ._-]/gu, "_")}.ndjson`;
    make("a", { href: url, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60000);
  }

  saveAll() {
    for (const [word, entries] of this.app.collection.byWord()) {
      this.save(word, entries);
    }
  }

  render() {
    const words = [...this.app.collection.byWord()];
    byId("teach-save-all").hidden = words.length < 2;
    this.list.replaceChildren(...words.map(([word, entries]) => this.wordItem(word, entries)));
  }

  wordItem(word, entries) {
    const isOpen = this.opened.has(word);
    const toggle = () => {
      this.opened[isOpen ? "delete" : "add"](word);
      this.render();
    };
    const item = make(
      "li",
      {},
      make("span", { class: "name" }, make("strong", {}, word), ` ${entries.length}`),
      button(isOpen ? "Hide" : "Show", toggle, {
        "aria-label": `${isOpen ? "Hide" : "Show"} the drawings of ${word}`,
        "aria-expanded": String(isOpen),
      }),
      button("Save", () => this.save(word, entries), { "aria-label": `Save ${word} as a file` }),
      button("Delete", () => this.removeAll(word, entries), {
        "aria-label": `Delete all drawings of ${word}`,
      }),
    );
    if (isOpen) {
      const cards = entries.slice(0, MAX_THUMBNAILS).map((entry, i) => this.card(entry, i));
      if (entries.length > MAX_THUMBNAILS) {
        cards.push(make("li", {}, `and ${entries.length - MAX_THUMBNAILS} more`));
      }
      item.append(make("ul", { class: "cards" }, ...cards));
    }
    return item;
  }

  card([key, drawing], i) {
    const { word, strokes } = drawing;
    return make(
      "li",
      {},
      thumbnail(strokes, `${word}, drawing ${i + 1}`),
      button("Delete", () => this.change(() => this.app.collection.remove([key])), {
        "aria-label": `Delete drawing ${i + 1} of ${word}`,
      }),
    );
  }

  removeAll(word, entries) {
    if (confirm(`Delete all ${entries.length} drawings of ${word}?`)) {
      this.change(() => this.app.collection.remove(entries.map(([key]) => key)));
    }
  }
}
