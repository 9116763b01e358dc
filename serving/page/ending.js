// The end of a game: the drawings, how they came about, and a picture of them.

import { button, make, makeSvg } from "./elements.js";
import { canShare, pictureOf, share } from "./picture.js";
import { replayed } from "./replay.js";
import { save } from "./saving.js";
import { withArticle } from "./sentences.js";
import { sketches } from "./sketch.js";

const REPLAY_ICON = "M8 5.5v13l11-6.5z";
const MAX_NAMED = 4; // of a round
const REPLAY_MILLISECONDS = 700; // from the replay of one drawing to that of the next

/** How a game went, in a line. */
export function outcome({ rounds, missed }) {
  const right = rounds.length - missed.length;
  return `${right} of ${rounds.length} recognised`;
}

/** What it took a drawing for. */
function onTheWay({ word, named, seconds }) {
  const others = named.filter((name) => name !== word).slice(-MAX_NAMED).map(withArticle);
  if (!named.length) {
    return "Nothing that I could name.";
  }
  if (!others.length) {
    return "I took it for nothing else.";
  }
  return `${seconds === null ? "I took it for" : "At first I saw"} ${others.join(" … ")}.`;
}

function replayButton(word, play) {
  const icon = makeSvg("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" }, makeSvg("path", { d: REPLAY_ICON }));
  const replay = button("", play, { class: "icon", "aria-label": `Replay ${word}`, title: "Replay" });
  replay.append(icon);
  return replay;
}

function roundItem(round, examples) {
  const { word, strokes, seconds } = round;
  const isRight = seconds !== null;
  const { svg, play } = replayed(strokes, `Your drawing of ${word}`);
  const picture = strokes.length
    ? make("div", { class: "picture" }, svg)
    : make("div", { class: "picture soft" }, "You drew nothing.");
  const title = make("h3", {}, word, make("span", {}, isRight ? ` ✓ ${seconds.toFixed(1)} s` : " – missed"));
  const item = make(
    "li",
    { class: isRight ? "right" : "missed" },
    picture,
    make("div", { class: "caption" }, title, strokes.length ? replayButton(word, play) : ""),
    strokes.length ? make("p", { class: "soft" }, onTheWay(round)) : "",
  );
  if (examples.length) {
    item.append(
      make(
        "details",
        {},
        make("summary", {}, "How others drew it"),
        sketches(examples, `${word}, drawn by others`),
        make("p", { class: "credit" }, "From “Quick, Draw!” by Google, CC BY 4.0"),
      ),
    );
  }
  return { item, play };
}

/**
 * The end of a game.
 *
 * @param {Game} game
 * @param {Map} examples drawings of others, by word.
 * @param {{onAgain: function, onMissed: function}} actions
 * @returns {{view: HTMLElement, play: function}} what is shown, and what replays the drawings.
 */
export function endView(game, examples, { onAgain, onMissed }) {
  const items = game.rounds.map((round) => roundItem(round, examples.get(round.word) || []));
  const title = outcome(game);
  const picture = () => pictureOf(game.rounds, `Draw, and it guesses: ${title}`);
  const actions = [button("Play again", onAgain, { class: "main" })];
  if (game.missed.length) {
    actions.push(button("Play missed words", onMissed));
  }
  actions.push(button("Save picture", async () => save("drawings.png", await picture())));
  if (canShare()) {
    actions.push(button("Share", async () => share(await picture(), title)));
  }
  const view = make(
    "div",
    { class: "ending" },
    make(
      "div",
      { class: "heading" },
      make("h2", { tabindex: "-1" }, title),
      make("div", { class: "actions" }, ...actions),
    ),
    make("ol", { class: "rounds" }, ...items.map(({ item }) => item)),
  );
  const play = () => items.forEach((one, i) => setTimeout(one.play, i * REPLAY_MILLISECONDS));
  return { view, play };
}
