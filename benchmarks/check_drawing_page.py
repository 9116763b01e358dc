r"""Does the drawing page guess what the classifier does, and how long does it take, in a browser?

    python benchmarks/check_drawing_page.py --model=runs/2026-11-22-174400 \
        --simplified=rnn_tutorial_data --raw=raw_drawings

Takes the last lines of the files, which training has not seen where there are enough. Needs
Chromium and its driver. Ends with exit code 1 where the page differs from the classifier or is too
slow.
"""

from __future__ import annotations

import itertools
import json
import os
import pathlib
import tempfile

import shared  # noqa: F401  (lets the next lines import)
from common import console

import browser as browsers
import numpy as np
from absl import flags
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By

from drawings import ink
from serving import classifier, drawing_page
from training import model_dirs

_MODEL = flags.DEFINE_string("model", None, "--model_dir of train_model.py.", required=True)
_SIMPLIFIED = flags.DEFINE_string(
    "simplified", None, "Folder of ndjson files of simplified drawings.", required=True
)
_RAW = flags.DEFINE_string("raw", None, "Folder of ndjson files of raw drawings.", required=True)
_DRAWINGS = flags.DEFINE_integer("drawings", 500, "Drawings to take of each kind.", lower_bound=1)
_SECONDS = flags.DEFINE_integer("seconds", 20, "How long to draw.", lower_bound=1)

# What the page may differ by, and take on two cores.
MAX_DIFFERENCE = 0.002
MAX_MEDIAN_MS = 60.0
MAX_95TH_MS = 120.0
MAX_TASK_MS = 50.0
MAX_OPENING_SECONDS = 1.0
MAX_BYTES = 3_500_000

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
# Milliseconds from the start of the page to its first guess.
FIRST_GUESS = """
const done = arguments[0];
drawingClassifier.classify([[[0, 9, 9], [0, 0, 9]]]).then(() => done(performance.now()));
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


def main() -> int | None:
    found = model_dirs.find_model(_MODEL.value)
    words = set(found.classes)
    simplified = read_last(_SIMPLIFIED.value, _DRAWINGS.value, words=words)
    raw = read_last(_RAW.value, _DRAWINGS.value, words=words)
    documents = simplified + raw
    drawings = [document["drawing"] for document in documents]
    model = classifier.Classifier(_MODEL.value)
    expected = model.classify_points([classifier.prepare(strokes) for strokes in drawings])
    with tempfile.TemporaryDirectory() as folder, browsers.opened() as browser:
        path = os.path.join(folder, drawing_page.FILE)
        drawing_page.write(
            path, checkpoint=found.checkpoint, params=found.params, classes=found.classes
        )
        browser.set_script_timeout(600)
        browser.get(f"file://{path}")
        opening = browser.execute_async_script(FIRST_GUESS) / 1000
        answers = browser.execute_async_script(CLASSIFY, drawings)
        points = browser.execute_async_script(SIMPLIFY, [d["drawing"] for d in raw])
        long_tasks = draw(browser, _SECONDS.value)
        num_bytes = os.path.getsize(path)

    difference, changed, right = 0.0, 0, np.zeros(2)
    for document, guesses, answer in zip(documents, expected, answers):
        ours = {guess["word"]: guess["probability"] for guess in answer["guesses"]}
        difference = max(
            [difference] + [abs(p - ours[word]) for word, p in guesses if word in ours]
        )
        first = answer["guesses"][0]["word"]
        close = len(guesses) > 1 and guesses[0].probability - guesses[1].probability < 0.002
        changed += first != guesses[0].word and not close
        right += [first == document["word"], guesses[0].word == document["word"]]
    other_points = sum(
        theirs != ink.simplify(document["drawing"]) for theirs, document in zip(points, raw)
    )
    times = [answer["ms"] for answer in answers[: len(simplified)]]
    median, slow = np.percentile(times, [50, 95])
    accuracy = right / len(documents)
    rows = [
        ("greatest difference of a probability", f"{difference:.5f}", difference < MAX_DIFFERENCE),
        ("other first words", changed, not changed),
        ("raw drawings simplified to other points", other_points, not other_points),
        (
            "accuracy, page and classifier",
            f"{accuracy[0]:.2%}, {accuracy[1]:.2%}",
            abs(accuracy[0] - accuracy[1]) <= 0.001,
        ),
        ("a simplified drawing, median", f"{median:.0f} ms", median <= MAX_MEDIAN_MS),
        ("a simplified drawing, 95th percentile", f"{slow:.0f} ms", slow <= MAX_95TH_MS),
        (
            f"longest task while drawing for {_SECONDS.value} s",
            f"{max(long_tasks):.0f} ms" if long_tasks else "below 50 ms",
            not long_tasks or max(long_tasks) <= MAX_TASK_MS,
        ),
        ("opened to the first guess", f"{opening:.2f} s", opening <= MAX_OPENING_SECONDS),
        ("size", f"{num_bytes / 1e6:.2f} MB", num_bytes <= MAX_BYTES),
    ]
    print(f"{len(simplified)} simplified drawings, {len(raw)} raw ones, {len(words)} words")
    for what, value, holds in rows:
        print(f"{what:45} {value:>20}{'' if holds else '   too much'}")
    return None if all(holds for *_, holds in rows) else console.EXIT_ERROR


if __name__ == "__main__":
    console.run(main)
