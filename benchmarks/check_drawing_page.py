r"""Does the drawing page guess what the classifier does, how long does it take, and does it know
when it has no idea, in a browser?

    python benchmarks/check_drawing_page.py --model=runs/2026-11-22-174400 \
        --simplified=rnn_tutorial_data --raw=raw_drawings

Takes the last lines of the files, which training has not seen where there are enough. Scribbles are
random walks of several kinds. Needs Chromium and its driver. Ends with exit code 1 where the page
differs from the classifier, is too slow, or names what nobody could.
"""

from __future__ import annotations

from common import quiet_tensorflow  # noqa: F401  # isort: skip  (first, see common/startup.py)

import itertools
import json
import os
import pathlib
import tempfile
from typing import Any

import numpy as np
from absl import flags
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By

import browser as browsers
from common import programs
from drawings import ink
from model_folder import models
from serving import classifier, drawing_page, page_examples

_MODEL = flags.DEFINE_string("model", None, "--model_dir of train_model.py.", required=True)
_SIMPLIFIED = flags.DEFINE_string(
    "simplified", None, "Folder of ndjson files of simplified drawings.", required=True
)
_RAW = flags.DEFINE_string("raw", None, "Folder of ndjson files of raw drawings.", required=True)
_DRAWINGS = flags.DEFINE_integer("drawings", 500, "Drawings to take of each kind.", lower_bound=1)
_SCRIBBLES = flags.DEFINE_integer("scribbles", 360, "Scribbles to make.", lower_bound=1)
_NAMED = flags.DEFINE_integer(
    "named",
    50,
    "Raw drawings to draw step by step, to see what is named on the way.",
    lower_bound=1,
)
_SECONDS = flags.DEFINE_integer("seconds", 20, "How long to draw.", lower_bound=1)

# What the page may differ by, and take on two cores.
MAX_DIFFERENCE = 0.002
MAX_MEDIAN_MS = 60.0
MAX_95TH_MS = 120.0
MAX_TASK_MS = 50.0
MAX_OPENING_SECONDS = 1.0
MAX_BYTES = 4_500_000
MAX_NAMED_SCRIBBLES = 0.1
MAX_LOST_ACCEPTANCE = 0.01
MAX_CHANGES = 0.5  # of the named word, as a share of those of the first place

# Asks for the guesses of many drawings; milliseconds for each as well.
CLASSIFY = """
const [drawings, done] = arguments;
const ask = async () => {
  const answers = [];
  for (const strokes of drawings) {
    const started = performance.now();
    const guesses = await drawingClassifier.classify(strokes);
    answers.push({ guesses: guesses.slice(0, 5), ms: performance.now() - started });
  }
  return answers;
};
ask().then(done);
"""
SIMPLIFY = """
const [drawings, done] = arguments;
Promise.all(drawings.map((strokes) => drawingClassifier.simplify(strokes))).then(done);
"""
# What the page's own modules say of strokes, in a script that has them.
MODULES = (
    drawing_page.join_modules(["points", "scribble", "namer"])
    + """
const isScribble = (strokes, { probability }) =>
  scribbleModule.isScribble(pointsModule.prepare(strokes), probability);
"""
)
# Whether no name should be given to drawings.
JUDGE = (
    MODULES
    + """
const [drawings, done] = arguments;
const judge = async () => {
  const judged = [];
  for (const strokes of drawings) {
    const [first] = await drawingClassifier.classify(strokes);
    judged.push({ ...first, isScribble: isScribble(strokes, first) });
  }
  return judged;
};
judge().then(done);
"""
)
# Looks at drawings as often as one who draws is answered; how often the first place changes, and
# how often the name that the page says.
NAME = (
    MODULES
    + """
const [drawings, milliseconds, done] = arguments;
const { words, threshold } = drawingClassifier;
const upTo = (strokes, time) => strokes
  .map((stroke) => stroke.map((row) => row.slice(0, stroke[2].filter((t) => t <= time).length)))
  .filter(([xs]) => xs.length);
const changesOf = async (strokes) => {
  const namer = new namerModule.Namer(words, threshold);
  const firsts = [];
  const end = Math.max(...strokes.map(([, , times]) => times[times.length - 1]));
  let before = 1;
  for (let time = milliseconds; time < end + milliseconds; time += milliseconds) {
    const part = upTo(strokes, time);
    const count = part.reduce((sum, [xs]) => sum + xs.length, 0);
    if (count > before) {
      before = count;
      const guesses = await drawingClassifier.classify(part);
      const probabilities = new Float32Array(words.length);
      guesses.forEach(({ word, probability }) => {
        probabilities[words.indexOf(word)] = probability;
      });
      firsts.push(guesses[0].word);
      namer.hear({ probabilities, isScribble: isScribble(part, guesses[0]) });
    }
  }
  const changes = firsts.filter((word, i) => i && word !== firsts[i - 1]).length;
  return [changes, Math.max(0, namer.named.length - 1)];
};
const all = async () => {
  const changes = [];
  for (const strokes of drawings) {
    changes.push(await changesOf(strokes));
  }
  return changes;
};
all().then(done);
"""
)
LOOK_MILLISECONDS = 120
DRAWINGS_AT_ONCE = 10
# Milliseconds from the start of the page to its first guess of what somebody draws.
FIRST_GUESS = """
const [done] = arguments;
const board = document.getElementById("board");
board.setPointerCapture = () => {};
new MutationObserver(() => done(performance.now()))
  .observe(document.getElementById("guesses"), { childList: true });
const { left, top } = board.getBoundingClientRect();
for (const [kind, x] of [["down", 50], ["move", 150], ["up", 150]]) {
  board.dispatchEvent(new PointerEvent(`pointer${kind}`,
    { pointerId: 1, button: 0, clientX: left + x, clientY: top + 50 }));
}
"""
WATCH_TASKS = """
window.longTasks = [];
new PerformanceObserver((list) => {
  window.longTasks.push(...list.getEntries().map((entry) => entry.duration));
}).observe({ type: "longtask" });
"""


def read_last(folder: str, count: int, *, words: set[str]) -> list[dict]:
    """Reads the last drawings of a folder's files of these words, as many of each as are needed."""
    files = []
    for path in sorted(pathlib.Path(folder).glob("*.ndjson")):
        lines = path.read_bytes().splitlines()
        if lines and json.loads(lines[0])["word"] in words:
            files.append(reversed(lines))
    taken = itertools.chain.from_iterable(itertools.zip_longest(*files))
    return [json.loads(line) for line in itertools.islice(filter(None, taken), count)]


def ask(browser, script: str, drawings: list, *arguments) -> list:
    """The answers of a script to drawings, some at a time: a driver waits for two minutes."""
    answers = []
    for start in range(0, len(drawings), DRAWINGS_AT_ONCE):
        some = drawings[start : start + DRAWINGS_AT_ONCE]
        answers += browser.execute_async_script(script, some, *arguments)
    return answers


def draw(browser, seconds: float) -> list[float]:
    """Draws with the mouse; the tasks of over 50 ms that the page had meanwhile."""
    browser.execute_script(WATCH_TASKS)
    board = browser.find_element(By.ID, "board")
    rng = np.random.default_rng(0)
    for _ in range(int(seconds)):  # a stroke of a second each
        chain = ActionChains(browser, duration=20)
        x, y = rng.integers(-200, 200, 2)
        chain.move_to_element_with_offset(board, int(x), int(y)).click_and_hold()
        for _ in range(45):
            dx, dy = np.clip([x, y] + rng.integers(-25, 26, 2), -230, 230) - [x, y]
            chain.move_by_offset(int(dx), int(dy))
            x, y = x + dx, y + dy
        chain.release().perform()
    return browser.execute_script("return window.longTasks")


def scribbles(count: int) -> list:
    """Makes random walks of up to four strokes, with times; the kinds of WALKS take turns."""
    rng = np.random.default_rng(0)
    drawings = []
    for walk, _ in zip(itertools.cycle(WALKS), range(count)):
        strokes, time = [], 0
        for _ in range(rng.integers(1, 5)):
            steps = walk(rng, int(rng.integers(20, 120)))
            xs, ys = np.clip(rng.uniform(100, 500, 2) + np.cumsum(steps, axis=0), 0, 600).T
            times = time + 16 * np.arange(len(xs))
            strokes.append([xs.round(1).tolist(), ys.round(1).tolist(), times.tolist()])
            time = int(times[-1]) + 200
        drawings.append(strokes)
    return drawings


# Kinds of random walks: of a count of steps, the steps, float [steps, 2].


def _jumps(rng: np.random.Generator, count: int) -> np.ndarray:
    return rng.integers(-25, 26, (count, 2)).astype(float)


def _curves(rng: np.random.Generator, count: int) -> np.ndarray:
    turns = rng.normal(0, rng.uniform(0.2, 0.9), count)
    return _towards(rng.uniform(0, 2 * np.pi) + np.cumsum(turns)) * rng.uniform(6, 20)


def _swings(rng: np.random.Generator, count: int) -> np.ndarray:
    pushes = rng.normal(0, 8, (count, 2))
    weights = 0.8 ** np.arange(count)
    return np.stack([np.convolve(p, weights)[:count] for p in pushes.T], axis=1)


def _chords(rng: np.random.Generator, count: int) -> np.ndarray:
    return rng.normal(0, 120, (5 + count // 6, 2))


def _leaps(rng: np.random.Generator, count: int) -> np.ndarray:
    """Few steps are long, most are short."""
    lengths = np.minimum(4 / rng.uniform(0.01, 1, count), 200)
    return _towards(rng.uniform(0, 2 * np.pi, count)) * lengths[:, np.newaxis]


def _pulls(rng: np.random.Generator, count: int) -> np.ndarray:
    """Smooth, towards one place after the other."""
    goal = rng.uniform(-300, 300, 2)
    places = np.zeros((count + 1, 2))
    step = np.zeros(2)
    for number, changes in enumerate(rng.random(count) < 0.12):
        goal = rng.uniform(-300, 300, 2) if changes else goal
        step = 0.8 * step + 0.035 * (goal - places[number])
        places[number + 1] = places[number] + step
    return np.diff(places, axis=0)


def _loops(rng: np.random.Generator, count: int) -> np.ndarray:
    """Round and round, wider and narrower, drifting."""
    angles = np.cumsum(rng.uniform(0.2, 0.5) * np.abs(rng.normal(1, 0.4, count)))
    sizes = 20 * np.exp(np.cumsum(rng.normal(0, 0.06, count)))
    return _towards(angles) * sizes[:, np.newaxis] + rng.normal(0, 5, (count, 2))


def _shading(rng: np.random.Generator, count: int) -> np.ndarray:
    """To and fro."""
    sides = np.where(np.arange(count // 4) % 2, 1, -1) * np.abs(rng.normal(1, 0.25, count // 4))
    across = _towards(rng.uniform(0, 2 * np.pi)) * rng.uniform(100, 400)
    return sides[:, np.newaxis] * across + rng.normal(6, 12, (count // 4, 2))


def _tremor(rng: np.random.Generator, count: int) -> np.ndarray:
    """A curve by a hand that trembles."""
    angles = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, 0.12, count))
    trembling = rng.normal(0, rng.uniform(2, 7), (count + 1, 2))
    return 9 * _towards(angles) + np.diff(trembling, axis=0)


def _towards(angles: Any) -> np.ndarray:
    return np.stack([np.cos(angles), np.sin(angles)], axis=-1)


WALKS = (_jumps, _curves, _swings, _chords, _leaps, _pulls, _loops, _shading, _tremor)


Row = tuple[str, str, bool]  # what was measured, its value, and whether it is within its bound


def compare_guesses(documents: list[dict], expected: list, answers: list[dict]) -> list[Row]:
    """Compares the page's guesses with the classifier's."""
    difference, changed, right = 0.0, 0, np.zeros(2, int)
    for document, guesses, answer in zip(documents, expected, answers):
        ours = {guess["word"]: guess["probability"] for guess in answer["guesses"]}
        difference = max(
            [difference] + [abs(p - ours[word]) for word, p in guesses if word in ours]
        )
        first = answer["guesses"][0]["word"]
        close = len(guesses) > 1 and guesses[0].probability - guesses[1].probability < 0.002
        changed += first != guesses[0].word and not close
        right += [first == document["word"], guesses[0].word == document["word"]]
    page, ours_right = right / len(documents)
    return [
        ("greatest difference of a probability", f"{difference:.5f}", difference < MAX_DIFFERENCE),
        ("other first words", str(changed), not changed),
        (
            "accuracy, page and classifier",
            f"{page:.2%}, {ours_right:.2%}",
            1000 * abs(right[0] - right[1]) <= len(documents),  # whole numbers: exact
        ),
    ]


def compare_points(raw: list[dict], points: list) -> list[Row]:
    others = sum(ours != ink.simplify(d["drawing"]) for ours, d in zip(points, raw))
    return [("raw drawings simplified to other points", str(others), not others)]


def rate_speed(times: list[float], long_tasks: list[float], opening: float) -> list[Row]:
    """Rates milliseconds of guesses, of tasks of over 50 ms, and the seconds to the first guess."""
    median, slow = np.percentile(times, [50, 95])
    longest = max(long_tasks, default=0.0)
    return [
        ("a simplified drawing, median", f"{median:.0f} ms", median <= MAX_MEDIAN_MS),
        ("a simplified drawing, 95th percentile", f"{slow:.0f} ms", slow <= MAX_95TH_MS),
        (
            f"longest task while drawing for {_SECONDS.value} s",
            f"{longest:.0f} ms" if long_tasks else "below 50 ms",
            longest <= MAX_TASK_MS,
        ),
        ("opened to the first guess", f"{opening:.2f} s", opening <= MAX_OPENING_SECONDS),
    ]


def rate_names(
    judged: list[dict],
    documents: list[dict],
    of_documents: list[dict],
    changes: Any,
    *,
    threshold: float,
) -> list[Row]:
    """Rates which scribbles get a name, which drawings lose theirs, and how often names change."""
    sure = np.array([answer["probability"] > threshold for answer in judged])
    named = sure & ~np.array([answer["isScribble"] for answer in judged])
    shares = [named[i :: len(WALKS)].mean() for i in range(len(WALKS))]
    worst = int(np.argmax(shares))
    accepted = np.array(
        [
            answer["probability"] > threshold and answer["word"] == document["word"]
            for answer, document in zip(of_documents, documents)
        ]
    )
    lost = np.mean(accepted & np.array([answer["isScribble"] for answer in of_documents]))
    first, name = np.mean(changes, axis=0)
    return [
        (
            "scribbles above the threshold, and named",
            f"{sure.mean():.1%}, {named.mean():.1%}",
            named.mean() <= MAX_NAMED_SCRIBBLES,
        ),
        (f"of {WALKS[worst].__name__[1:]}, the most often named", f"{shares[worst]:.1%}", True),
        (
            "drawings recognised, and lost as scribbles",
            f"{accepted.mean():.1%}, {lost:.1%}",
            lost <= MAX_LOST_ACCEPTANCE,
        ),
        (
            "changes of the first place, and of the name",
            f"{first:.1f}, {name:.1f}",
            name <= MAX_CHANGES * first,
        ),
    ]


def main() -> int | None:
    trained = models.find_model(_MODEL.value)
    words = set(trained.classes)
    simplified = read_last(_SIMPLIFIED.value, _DRAWINGS.value, words=words)
    raw = read_last(_RAW.value, _DRAWINGS.value, words=words)
    documents = simplified + raw
    drawings = [document["drawing"] for document in documents]
    model = classifier.Classifier(_MODEL.value)
    expected = model.classify_points([classifier.prepare(strokes) for strokes in drawings])
    with tempfile.TemporaryDirectory() as folder, browsers.opened() as browser:
        path = os.path.join(folder, drawing_page.FILE)
        drawing_page.write(
            path,
            trained,
            examples=page_examples.from_ndjson(_SIMPLIFIED.value, trained.classes),
        )
        browser.set_script_timeout(110)
        browser.get(f"file://{path}")
        opening = browser.execute_async_script(FIRST_GUESS) / 1000
        answers = ask(browser, CLASSIFY, drawings)
        raw_strokes = [document["drawing"] for document in raw]
        points = ask(browser, SIMPLIFY, raw_strokes)
        judged = ask(browser, JUDGE, scribbles(_SCRIBBLES.value))
        of_documents = ask(browser, JUDGE, drawings)
        changes = ask(browser, NAME, raw_strokes[: _NAMED.value], LOOK_MILLISECONDS)
        long_tasks = draw(browser, _SECONDS.value)
        num_bytes = os.path.getsize(path)
    times = [answer["ms"] for answer in answers[: len(simplified)]]
    rows = [
        *compare_guesses(documents, expected, answers),
        *compare_points(raw, points),
        *rate_speed(times, long_tasks, opening),
        *rate_names(
            judged, documents, of_documents, changes, threshold=trained.params.accept_threshold
        ),
        ("size", f"{num_bytes / 1e6:.2f} MB", num_bytes <= MAX_BYTES),
    ]
    print(f"{len(simplified)} simplified drawings, {len(raw)} raw ones, {len(words)} words")
    for what, value, holds in rows:
        print(f"{what:48} {value:>20}{'' if holds else '   too much'}")
    return None if all(holds for *_, holds in rows) else programs.EXIT_ERROR


if __name__ == "__main__":
    programs.run(main)
