r"""Takes the picture of the drawing page that the README shows.

    python docs/make_page_picture.py --model=runs/2026-11-22-174400 --examples=rnn_tutorial_data

The model should know the word of the drawing, coffee cup. The examples are those of
make_drawing_page.py. Needs Chromium and its driver.
"""

from __future__ import annotations

from common.quiet_tensorflow import tf  # isort: skip  (first, see common/startup.py)

import os
import pathlib
import tempfile

from absl import flags
from selenium.webdriver.support.ui import WebDriverWait

import browser as browsers
from common import programs
from drawings import ndjson
from model_folder import evaluations, models
from serving import drawing_page, page_examples

_MODEL = flags.DEFINE_string("model", None, "--model_dir of train_model.py.", required=True)
_EXAMPLES = flags.DEFINE_string("examples", None, "Folder of ndjson files.", required=True)

DOCS = pathlib.Path(__file__).resolve().parent

# Leads a pointer along a drawing, which then fills most of the board.
DRAW = """
const ends = [0, 1].map((axis) => arguments[0].flatMap((stroke) => stroke[axis]))
  .map((values) => [Math.min(...values), Math.max(...values)]);
const board = document.getElementById("board");
const box = board.getBoundingClientRect();
const scale = (0.7 * box.height) / Math.max(...ends.map(([lower, upper]) => upper - lower));
for (const [xs, ys] of arguments[0]) {
  const send = (kind, i) => board.dispatchEvent(new PointerEvent(kind, { pointerId: 1, button: 0,
    clientX: box.left + box.width / 2 + (xs[i] - (ends[0][0] + ends[0][1]) / 2) * scale,
    clientY: box.top + 0.45 * box.height + (ys[i] - (ends[1][0] + ends[1][1]) / 2) * scale }));
  board.setPointerCapture = () => {};
  send("pointerdown", 0);
  xs.forEach((_, i) => send("pointermove", i));
  send("pointerup", xs.length - 1);
}
"""


def main() -> None:
    tf.compat.v1.disable_eager_execution()
    document = ndjson.parse_document((DOCS / "coffee_cup.ndjson").read_bytes())
    trained = models.find_model(_MODEL.value)
    with tempfile.TemporaryDirectory() as folder, browsers.opened(width=1200, height=900) as page:
        path = os.path.join(folder, drawing_page.FILE)
        drawing_page.write(
            path,
            trained,
            examples=page_examples.from_ndjson(_EXAMPLES.value, trained.classes),
            evaluation=evaluations.evaluation_of(trained.checkpoint),
        )
        page.get(f"file://{path}")
        page.execute_script(DRAW, document["drawing"])
        said = "return document.getElementById('bubble').textContent"
        WebDriverWait(page, 20).until(lambda p: document["word"] in p.execute_script(said))
        target = DOCS / "pictures/drawing_page.png"
        page.save_screenshot(str(target))
        print(target)


if __name__ == "__main__":
    programs.run(main)
