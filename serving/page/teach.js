// Drawings of the user's words: kept here, and saved as files that create_dataset.py reads.

import { byId, button, counted, make, refill } from "./elements.js";
import { reportView } from "./modes.js";
import { formatLine, newKeyId, NotDrawingsError, readDrawings } from "./ndjson.js";
import { pageWith } from "./save_page.js";
import { fileNames, save } from "./saving.js";
import { countPoints, sketch } from "./sketch.js";
import { zip } from "./zip.js";

const ENDING = ".ndjson";
const SHOWN_AT_ONCE = 60; // drawings of a word

export class TeachPanel {
  constructor(app) {
    this.app = app;
    this.word = byId("teach-word");
    this.list = byId("teach-list");
    this.shown = new Map(); // how many drawings of a word are shown
    this.asked = null; // the word whose drawings may be deleted with the next press
    this.isKeeping = false;
    this.name = null;
    this.alwaysHears = true; // drawings are guessed before the panel is opened
    byId("teach-words").append(...app.networkWords.map((word) => make("option", { value: word })));
    byId("teach-keep").addEventListener("click", () => this.keep());
    this.word.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.isComposing) {
        event.preventDefault(); // there is no form, since a frame may forbid submitting one
        if (!event.repeat) {
          this.keep();
        }
      }
    });
    const files = byId("teach-files");
    byId("teach-open").addEventListener("click", () => files.click());
    files.addEventListener("change", () => this.open(files));
    byId("teach-save-all").addEventListener("click", () => this.saveAll());
    byId("teach-save-page").addEventListener("click", () => this.savePage());
    this.load();
  }

  async load() {
    await this.app.collection.load();
    this.render();
    this.app.learnKept();
  }

  show() {}

  hide() {
    this.tell([]);
  }

  hear({ namer, guesses }) {
    this.name = guesses ? namer.word : null;
  }

  /** Says how something went: a line each. */
  tell(lines) {
    byId("teach-status").replaceChildren(...lines.map((line) => make("span", {}, line)));
  }

  /** Keeps what is drawn as a drawing of the word. */
  async keep() {
    const { board, collection } = this.app;
    const word = this.word.value.trim();
    const strokes = board.isDrawing ? [] : [...board.strokes];
    if (this.isKeeping) {
      return;
    }
    if (!word || countPoints(strokes) < 2) {
      this.tell([word ? "Draw something first." : "Choose or type a word first."]);
      return;
    }
    const drawing = {
      word,
      strokes: board.copy(),
      timestamp: `${new Date().toISOString().replace("T", " ").replace("Z", "")} UTC`,
      recognized: this.name === word,
      keyId: newKeyId(),
    };
    this.isKeeping = true;
    if (await this.change(() => collection.add([drawing]), true)) {
      board.remove(strokes); // what is being drawn meanwhile stays
      const count = collection.byWord().get(word).length;
      const end = collection.isLasting ? "" : ", until the page is closed";
      this.tell([`Kept ${count} of ${word}${end}.`]);
    }
    this.isKeeping = false;
  }

  async open(input) {
    const lines = [];
    for (const file of input.files) {
      this.tell([...lines, `Opening ${file.name} …`]);
      lines.push(await this.openFile(file));
    }
    this.tell(lines);
    input.value = "";
  }

  /** Opens a file; what came of it. */
  async openFile(file) {
    let read;
    try {
      read = await readDrawings(file);
    } catch (error) {
      return error instanceof NotDrawingsError
        ? `${file.name} ${error.message}.`
        : `${file.name} could not be read: it has changed or is gone. Choose it again.`;
    }
    const { drawings, skipped, cut } = read;
    let added = 0;
    const isKept = await this.change(async () => {
      added = await this.app.collection.add(drawings);
    }, true);
    if (!isKept) {
      return `${file.name}: nothing was kept.`;
    }
    const reasons = [...skipped].map(([reason, count]) => `${reason} (${count})`);
    return [
      `${file.name}: ${counted(added, "drawing")}`,
      ...(added < drawings.length ? [`${drawings.length - added} were here already`] : []),
      ...(reasons.length ? [`skipped: ${reasons.join(", ")}`] : []),
      ...(cut ? ["the rest of the file was left out"] : []),
    ].join("; ");
  }

  /** Changes what is kept, and learns it. */
  async change(action, isAdded = false) {
    try {
      await action();
    } catch (error) {
      const remedy =
        error.name === "QuotaExceededError" ? "Save files and delete some." : "Save files so that nothing is lost.";
      this.tell([`That could not be kept: ${error.message || error}. ${remedy}`]);
      return false;
    }
    this.render();
    this.app.learnKept(isAdded);
    return true;
  }

  save(word, entries) {
    const lines = entries.map(([, drawing]) => formatLine(drawing));
    save(fileNames([word], ENDING)[0], new Blob(lines, { type: "application/x-ndjson" }));
  }

  /** Saves a file for each word, in one archive: browsers save at most ten files at once. */
  saveAll() {
    const words = [...this.app.collection.byWord()];
    const names = fileNames(words.map(([word]) => word), ENDING);
    const files = words.map(([, entries], i) => {
      const lines = entries.map(([, drawing]) => formatLine(drawing));
      return [names[i], new TextEncoder().encode(lines.join(""))];
    });
    save("drawings.zip", new Blob([zip(files)], { type: "application/zip" }));
  }

  /** Saves the page with the drawings inside. */
  savePage() {
    const drawings = [...this.app.collection.byWord().values()].flat().map(([, drawing]) => drawing);
    const page = pageWith(this.app.pristine, newKeyId(), drawings);
    save("draw.html", new Blob([page], { type: "text/html" }));
  }

  render() {
    const words = [...this.app.collection.byWord()];
    byId("teach-save-all").hidden = words.length < 2;
    byId("teach-save-page").hidden = words.length < 1;
    this.renderNotice();
    refill(this.list, words.map(([word, entries]) => this.wordItem(word, entries)));
  }

  /** How good what was learnt is. */
  renderReport() {
    byId("teach-report").replaceChildren(...reportView(this.app.ownWords));
  }

  /** Says where drawings are kept, and who can read them. */
  renderNotice() {
    const notice = byId("teach-notice");
    const isFile = location.protocol === "file:";
    notice.hidden = this.app.collection.isLasting && !isFile;
    notice.textContent = this.app.collection.isLasting
      ? "Drawings are kept in this browser, where other pages opened from this computer’s disk can read them."
      : "This browser keeps nothing when the page is closed: save drawings as files.";
  }

  wordItem(word, entries) {
    const count = this.shown.get(word) || 0;
    const toggle = () => {
      this.shown.set(word, count ? 0 : SHOWN_AT_ONCE);
      this.render();
    };
    const item = make(
      "li",
      {},
      make("span", { class: "name" }, make("strong", {}, word), ` ${entries.length}`),
      button(count ? "Hide" : "Show", toggle, {
        "data-key": `show ${word}`,
        "aria-label": `${count ? "Hide" : "Show"} the drawings of ${word}`,
        "aria-expanded": String(count > 0),
      }),
      button("Save", () => this.save(word, entries), {
        "data-key": `save ${word}`,
        "aria-label": `Save ${word} as a file`,
      }),
      ...this.deletion(word, entries),
    );
    if (count) {
      item.append(this.cards(word, entries, count));
    }
    return item;
  }

  /** Asks before it deletes; in the page, since a frame may forbid dialogs. */
  deletion(word, entries) {
    const ask = (wanted) => {
      this.asked = wanted;
      this.render();
    };
    if (this.asked !== word) {
      return [
        button("Delete", () => ask(word), {
          "data-key": `delete ${word}`,
          "aria-label": `Delete all drawings of ${word}`,
        }),
      ];
    }
    const remove = () => {
      this.asked = null;
      this.change(() => this.app.collection.remove(entries.map(([key]) => key)));
    };
    return [
      button(`Delete all ${entries.length}`, remove, { "data-key": `delete ${word}`, class: "danger" }),
      button("Keep them", () => ask(null), { "data-key": `keep ${word}` }),
    ];
  }

  /** The newest drawings first. */
  cards(word, entries, count) {
    const cards = entries
      .map((entry, i) => ({ entry, number: i + 1 }))
      .reverse()
      .slice(0, count)
      .map(({ entry, number }) => this.card(entry, number));
    if (entries.length > count) {
      const more = () => {
        this.shown.set(word, count + SHOWN_AT_ONCE);
        this.render();
      };
      cards.push(
        make("li", {}, button(`Show ${Math.min(entries.length - count, SHOWN_AT_ONCE)} more`, more)),
      );
    }
    return make("ul", { class: "cards" }, ...cards);
  }

  card([key, drawing], number) {
    const { word, strokes } = drawing;
    const remove = () => this.change(() => this.app.collection.remove([key]));
    return make(
      "li",
      {},
      sketch(strokes, `${word}, drawing ${number}`),
      button("Delete", remove, {
        "data-key": `card ${word} ${number}`,
        "aria-label": `Delete drawing ${number} of ${word}`,
      }),
    );
  }
}
