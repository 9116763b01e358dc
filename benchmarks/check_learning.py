r"""How well does the drawing page learn words that its network has never seen?

    python benchmarks/check_learning.py --model=runs/of_325_words \
        --drawings=quickdraw/balanced,quickdraw/simplified --unseen=unseen_drawings

One's own words are the categories of the folders that the model does not know. Their drawings are
shuffled; the page's own code learns from some of them and guesses others, in Chromium. Ends with
exit code 1 where a result is below its floor.
"""

from __future__ import annotations

from common import quiet_tensorflow  # noqa: F401  # isort: skip  (first, see common/startup.py)

import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from absl import flags

import browser as browsers
from common import programs
from model_folder import models
from serving import drawing_page
from serving import weights as network_weights

_MODEL = flags.DEFINE_string("model", None, "--model_dir of train_model.py.", required=True)
_DRAWINGS = flags.DEFINE_list(
    "drawings", None, "Folders of ndjson files of simplified drawings.", required=True
)
_UNSEEN = flags.DEFINE_string(
    "unseen",
    None,
    "Folder of ndjson files of the model's words, unseen in training.",
    required=True,
)
_TESTS = flags.DEFINE_integer("tests", 100, "Drawings of each word to guess.", lower_bound=1)
_SPLITS = flags.DEFINE_integer("splits", 3, "Times to choose what is learnt.", lower_bound=1)
_SEED = flags.DEFINE_integer("seed", 0, "Of what is chosen.")

COUNTS = (5, 10, 30, 100)

# Of the words' drawings guessed right, by the number of drawings learnt from.
FLOORS = {5: 0.68, 10: 0.75, 30: 0.82, 100: 0.86}
TIMED = 30
MAX_SECONDS = 1.0

# Of each of the model's words, to see how many one's own take.
NUM_UNSEEN = 5

# Studied in one call of the browser.
AT_ONCE = 200

# What the page knows without its elements.
MODULES = (*drawing_page.GUESSING_MODULES, "own_words")

PREPARE = """
const [model, done] = arguments;
const bytes = Uint8Array.from(atob(model.weights), (character) => character.charCodeAt(0));
const weights = networkModule.unpackWeights(model.variables, bytes.buffer);
const network = new networkModule.Network(model.params, weights);
window.student = new studyModule.Student(network, model.words);
window.drawings = [];
done();
"""
# Each drawing, whole and, where it is asked for, after half of its strokes; studied once.
STUDY = """
const [added, withHalf, done] = arguments;
const look = (strokes) => ({ strokes, ...student.study(strokes) });
for (const strokes of added) {
  const whole = look(strokes);
  const beginning = withHalf ? studyModule.beginningOf(strokes) : null;
  drawings.push({ whole, half: beginning ? look(beginning) : whole });
}
done();
"""
# Learns as the page does, and guesses what is asked, whole and after half of the strokes.
LEARN = """
const [mode, kept, references, asked, done] = arguments;
let seconds = 0;
const known = new Map();
const entry = (number) => {
  const { whole, half } = drawings[number];
  known.set(whole.strokes, whole);
  if (half !== whole) {
    known.set(JSON.stringify(half.strokes), half); // another list of the same strokes each time
  }
  return [number, { strokes: whole.strokes }];
};
const worker = {
  study: async (strokes) => known.get(strokes) || known.get(JSON.stringify(strokes)),
  learn: async (...given) => {
    const started = performance.now();
    const learnt = learnModule.learn(...given);
    seconds = (performance.now() - started) / 1000;
    return learnt;
  },
};
const own = new own_wordsModule.OwnWords({
  networkWords: student.words,
  examples: new Map(references.map(([word, number]) => [word, [entry(number)[1].strokes]])),
  collection: { byWord: () => new Map(kept.map(([word, numbers]) => [word, numbers.map(entry)])) },
  newGuesser: () => worker,
  onChange: () => {},
});
const guess = ({ features, rivals }) => {
  const probabilities = Float32Array.from(student.words, () => 0);
  rivals.forEach(([word, logProbability]) => { probabilities[word] = Math.exp(logProbability); });
  const values = vocabularyModule.wordProbabilities(probabilities, features, own.vocabulary);
  return own.vocabulary.words[values.indexOf(Math.max(...values))];
};
own.setMode(mode).then(() => done({
  seconds,
  taken: own.report && own.report.taken,
  leftOut: own.report && own.report.right / own.report.count,
  guesses: asked.map((number) => guess(drawings[number].whole)),
  halves: asked.map((number) => guess(drawings[number].half)),
}));
"""


def read_drawings(folders: Sequence[str]) -> dict[str, list[Any]]:
    """Reads the strokes of all usable drawings, by word."""
    drawings: dict[str, list[Any]] = {}
    for folder in folders:
        for path in sorted(pathlib.Path(folder).glob("*.ndjson")):
            for line in path.read_bytes().splitlines():
                document = json.loads(line)
                if sum(len(stroke[0]) for stroke in document["drawing"]) > 1:
                    drawings.setdefault(document["word"], []).append(document["drawing"])
    return drawings


class Page:
    """The page's code in a browser, and the drawings that it has studied, by number."""

    def __init__(self, browser: Any, model: Mapping[str, Any]):
        self._browser = browser
        browser.set_script_timeout(600)
        browser.get("about:blank")
        program = drawing_page.join_modules(MODULES)
        browser.execute_cdp_cmd("Runtime.evaluate", {"expression": program})
        browser.execute_async_script(PREPARE, model)
        self._num_drawings = 0

    def study(self, drawings: Sequence[Any], *, halves: bool = False) -> range:
        """Returns the drawings' numbers."""
        numbers = range(self._num_drawings, self._num_drawings + len(drawings))
        for start in range(0, len(drawings), AT_ONCE):
            some = drawings[start : start + AT_ONCE]
            self._browser.execute_async_script(STUDY, some, halves)
        self._num_drawings = numbers.stop
        return numbers

    def learn(self, mode: str, kept: Any, references: Any, asked: Sequence[int]) -> dict[str, Any]:
        return self._browser.execute_async_script(LEARN, mode, kept, references, list(asked))


def model_for_page(path: str) -> dict[str, Any]:
    """Reads what the page holds of a model."""
    trained = models.find_model(path)
    weights = network_weights.read(trained.checkpoint, params=trained.params)
    text = drawing_page.page(
        weights, params=trained.params, temperature=trained.temperature, classes=trained.classes
    )
    model, packed = (
        text.partition(f'id="{name}">')[2].partition("</script>")[0]
        for name in ("model", "weights")
    )
    return {**json.loads(model), "weights": packed}


def share(guesses: Sequence[str], truth: Sequence[str]) -> float:
    return float(np.mean([guess == word for guess, word in zip(guesses, truth)]))


def main() -> int | None:
    model = model_for_page(_MODEL.value)
    rng = np.random.default_rng(_SEED.value)
    drawings = read_drawings(_DRAWINGS.value)
    mine = sorted(set(drawings) - set(model["words"]))
    unseen = read_drawings([_UNSEEN.value])
    others = [
        (word, strokes) for word in model["words"] for strokes in unseen.get(word, [])[:NUM_UNSEEN]
    ]
    references = [(word, drawings[word][0]) for word in model["words"] if word in drawings]
    print(f"My words: {', '.join(mine)}")
    rows = []
    with browsers.opened() as browser:
        page = Page(browser, model)
        pools, tests = {}, {}
        for word in mine:
            chosen = [drawings[word][i] for i in rng.permutation(len(drawings[word]))]
            numbers = page.study(chosen[: max(COUNTS) + _TESTS.value], halves=True)
            pools[word], tests[word] = numbers[: max(COUNTS)], numbers[max(COUNTS) :]
        known = list(zip((word for word, _ in references), page.study([d for _, d in references])))
        theirs = page.study([strokes for _, strokes in others])
        asked = [number for word in mine for number in tests[word]]
        truth = [word for word in mine for _ in tests[word]]
        their_truth = [word for word, _ in others]
        # One's own words are none here, to be asked what the network says by itself.
        alone = share(page.learn("network", [], [], theirs)["guesses"], their_truth)
        for count in COUNTS:
            for _ in range(_SPLITS.value if count < max(COUNTS) else 1):
                kept = [(w, rng.permutation(pools[w])[:count].tolist()) for w in mine]
                own = page.learn("own", kept, [], asked)
                both = page.learn("both", kept, known, [*asked, *theirs])
                rows.append(
                    (
                        count,
                        share(own["guesses"], truth),
                        share(own["halves"], truth),
                        own["leftOut"],
                        own["seconds"],
                        share(both["guesses"][: len(asked)], truth),
                        share(both["guesses"][len(asked) :], their_truth),
                        both["taken"],
                        both["seconds"],
                    )
                )
    return report(np.array(rows), alone=alone, num_tests=len(truth), num_others=len(others))


def report(rows: np.ndarray, *, alone: float, num_tests: int, num_others: int) -> int | None:
    """Prints the table; `rows` are as `main` makes them."""
    print(f"{num_tests:,} drawings of my words")
    print(f"{num_others:,} drawings of the model's words, {alone:.1%} right alone")
    print("                  my words alone                          both together")
    print("drawings  floor   right   half   left out  seconds    mine   model's  taken  seconds")
    enough = True
    for count in COUNTS:
        mean = rows[rows[:, 0] == count].mean(axis=0)
        _, right, half, left_out, seconds, mine, theirs, taken, both_seconds = mean
        holds = right >= FLOORS[count] and (count != TIMED or seconds <= MAX_SECONDS)
        enough &= bool(holds)
        print(
            f"{count:8} {FLOORS[count]:6.0%} {right:8.1%} {half:6.1%} {left_out:9.1%}"
            f" {seconds:8.2f} {mine:8.1%} {theirs:8.1%} {taken:7.1%} {both_seconds:7.2f}"
            f"{'' if holds else '   not enough'}"
        )
    return None if enough else programs.EXIT_ERROR


if __name__ == "__main__":
    programs.run(main)
