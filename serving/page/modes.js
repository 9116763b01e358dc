// The choice of which words are guessed, offered in two places.

import { counted, make, percent, refill } from "./elements.js";
import { MODES } from "./vocabulary.js";

const MAX_CONFUSIONS = 5;

/** The choices of a page, which all show the same. */
export class ModeChoice {
  /**
   * @param {HTMLElement[]} elements to fill; hidden while there is nothing to choose.
   * @param {OwnWords} ownWords
   * @param {function(string): void} onChoice told the mode that was chosen.
   */
  constructor(elements, ownWords, onChoice) {
    this.elements = elements;
    this.ownWords = ownWords;
    this.onChoice = onChoice;
  }

  render() {
    const offered = MODES.filter((mode) => this.ownWords.offers(mode));
    for (const element of this.elements) {
      element.hidden = offered.length < 2;
      if (element.hidden) {
        element.replaceChildren();
        continue;
      }
      const inputs = offered.map((mode) => this.option(mode, element.id));
      refill(element, [
        make("fieldset", { class: "choice" }, make("legend", {}, "It guesses"), ...inputs),
      ]);
    }
  }

  option(mode, name) {
    const labels = {
      network: counted(this.ownWords.networkWords.length, "word"),
      own: "My words",
      both: "Both",
    };
    const input = make("input", { type: "radio", name, value: mode, "data-key": mode });
    input.checked = mode === (this.ownWords.offers(this.ownWords.mode) ? this.ownWords.mode : "network");
    input.addEventListener("change", () => this.onChoice(mode));
    return make("label", {}, input, make("span", {}, labels[mode]));
  }
}

/** What has been learnt, and how good it is: paragraphs. */
export function reportView({ report, progress, networkWords }) {
  if (progress && progress.done < progress.count) {
    return [make("p", { class: "soft" }, `Learning: ${progress.done} of ${progress.count} drawings …`)];
  }
  if (!report) {
    return [];
  }
  const { right, count, taken, confusions } = report;
  const lines = [
    make(
      "p",
      {},
      make("strong", {}, `${right} of ${count} right (${percent(right / count)})`),
      ": each drawing guessed from the others.",
    ),
  ];
  if (taken !== null) {
    lines.push(
      make(
        "p",
        { class: "soft" },
        `Of drawings of the ${counted(networkWords.length, "word")}, it takes ${percent(taken)} for yours.`,
      ),
    );
  }
  if (confusions.length) {
    const items = confusions.slice(0, MAX_CONFUSIONS).map(({ word, other, count: times }) =>
      make("li", {}, `${word} taken for ${other === null ? "another word" : other}, ${counted(times, "time")}`),
    );
    lines.push(make("p", { class: "soft" }, "It confuses:"), make("ul", { class: "confusions" }, ...items));
  }
  return lines;
}
