// The words that the network knows, to browse and to search; each starts a drawing.

import { byId, counted, make } from "./elements.js";
import { sketch } from "./sketch.js";

export class WordsPanel {
  constructor(app) {
    this.app = app;
    this.list = byId("words-list");
    this.items = null; // made when first shown
    byId("words-search").addEventListener("input", (event) => this.search(event.target.value));
  }

  show() {
    this.app.showBoard(false);
    if (!this.items) {
      this.items = this.app.networkWords.map((word) => this.item(word));
      this.list.append(...this.items.map(({ element }) => element));
    }
  }

  hide() {
    this.app.showBoard(true);
  }

  item(word) {
    const [example] = this.app.examples.get(word) || [];
    const choose = make("button", { type: "button" }, ...(example ? [sketch(example)] : []), make("span", {}, word));
    choose.addEventListener("click", () => this.app.startDrawing(word));
    return { word, element: make("li", {}, choose) };
  }

  search(text) {
    const wanted = text.trim().toLowerCase();
    let count = 0;
    for (const { word, element } of this.items) {
      element.hidden = !word.toLowerCase().includes(wanted);
      count += !element.hidden;
    }
    byId("words-count").textContent = wanted ? `${counted(count, "word")} with “${text.trim()}”` : "";
  }
}
