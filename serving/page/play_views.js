// What the game shows before, between and after its rounds.

import { button, counted, make, percent } from "./elements.js";
import { SECONDS } from "./game.js";
import { withArticle } from "./sentences.js";
import { sketch, sketches } from "./sketch.js";

const DECORATIONS = 6;

/** The start: how long a word may take. */
export function startView({ words, threshold, examples }, rounds, onStart) {
  const choice = make("fieldset", { class: "choice" }, make("legend", {}, "Time for each word"));
  SECONDS.forEach((seconds, i) => {
    const input = make("input", { type: "radio", name: "seconds", value: i });
    input.checked = i === 0;
    choice.append(make("label", {}, input, make("span", {}, secondsText(seconds))));
  });
  const start = button(
    "Start",
    () => {
      start.textContent = "Choosing words …";
      onStart(SECONDS[choice.querySelector("input:checked").value]);
    },
    { class: "main large" },
  );
  const drawings = words
    .flatMap((word) => (examples.get(word) || []).slice(0, 1))
    .filter((_, i, all) => i % Math.ceil(all.length / DECORATIONS) === 0);
  return make(
    "div",
    { class: "start" },
    make("div", { class: "decoration", "aria-hidden": "true" }, ...drawings.map((d) => sketch(d))),
    make("h2", {}, `${counted(rounds, "word")}. Can you draw ${rounds === 1 ? "it" : "them"}?`),
    make(
      "p",
      { class: "soft" },
      `Draw each word until the network names it and is more than ${percent(threshold)} sure.`,
    ),
    choice,
    start,
  );
}

function secondsText(seconds) {
  return seconds === null ? "No limit" : `${seconds} s`;
}

/** Before a round: the word, and a breath. */
export function wordCard({ number, count, word, seconds }, onBegin) {
  return [
    make("p", { class: "soft" }, `Word ${number} of ${count}`),
    make("h2", { class: "word" }, word),
    make("p", { class: "soft" }, seconds === null ? "Take your time" : `in ${seconds} seconds`),
    button("Draw it", onBegin, { class: "main large" }),
  ];
}

/** After a round. */
export function roundCard(round, isLast, examples, onNext) {
  const { word, seconds, skipped } = round;
  const name = withArticle(word);
  const isRight = seconds !== null;
  const text = isRight
    ? `Recognised after ${seconds.toFixed(1)} seconds.`
    : `${skipped ? "Skipped" : "Time is up"}: I did not recognise ${name}.`;
  const children = [
    make("h2", { class: isRight ? "right" : "missed", tabindex: "-1" }, isRight ? `Yes, ${name}!` : "Not this time"),
    make("p", {}, text),
  ];
  if (!isRight && examples.length) {
    children.push(
      make("p", { class: "soft" }, `How others drew ${name}:`),
      sketches(examples, `${word}, drawn by others`),
    );
  }
  children.push(
    button(isLast ? "See how it went" : "Next word", onNext, { class: "main large" }),
  );
  return children;
}

/** In a pause; the game may be ended here. */
export function pauseCard({ number, rounds }, onGoOn, onEnd) {
  return [
    make("h2", { class: "word" }, "Paused"),
    make("p", { class: "soft" }, `Word ${Math.max(number + 1, 1)} of ${rounds.length}. The clock stands still.`),
    make(
      "div",
      { class: "actions" },
      button("Go on", onGoOn, { class: "main large" }),
      button("End the game", onEnd, { class: "large" }),
    ),
  ];
}
