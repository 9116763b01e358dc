r"""Takes the picture of the drawing page that the README shows.

    python docs/make_page_picture.py --model=runs/2026-11-22-174400

The model should know the word of the drawing, coffee cup. Needs Chromium and its driver.
"""

from __future__ import annotations

import os
import tempfile

import paths
from common import console
from common.quiet_tensorflow import tf

import browser as browsers
from absl import flags
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from drawings import ndjson
from serving import drawing_page
from training import model_dirs

_MODEL = flags.DEFINE_string("model", None, "--model_dir of train_model.py.", required=True)

# Leads a pointer along a drawing, which then fills most of the board.
DRAW = """
const ends = [0, 1].map((axis) => arguments[0].flatMap((stroke) => stroke[axis]))
  .map((values) => [Math.min(...values), Math.max(...values)]);
const board = document.getElementById("board");
const box = board.getBoundingClientRect();
const scale = (0.8 * box.height) / Math.max(...ends.map(([lower, upper]) => upper - lower));
for (const [xs, ys] of arguments[0]) {
  const send = (kind, i) => board.dispatchEvent(new PointerEvent(kind, { pointerId: 1, button: 0,
    clientX: box.left + 0.25 * box.width + (xs[i] - ends[0][0]) * scale,
    clientY: box.top + 0.1 * box.height + (ys[i] - ends[1][0]) * scale }));
  board.setPointerCapture = () => {};
  send("pointerdown", 0);
  xs.forEach((_, i) => send("pointermove", i));
  send("pointerup", xs.length - 1);
}
"""


def main() -> None:
    tf.compat.v1.disable_eager_execution()
    document = ndjson.parse_document((paths.DOCS / "coffee_cup.ndjson").read_bytes())
    found = model_dirs.find_model(_MODEL.value)
    with tempfile.TemporaryDirectory() as folder, browsers.opened(width=1000, height=780) as page:
        path = os.path.join(folder, drawing_page.FILE)
        drawing_page.write(
            path, checkpoint=found.checkpoint, params=found.params, classes=found.classes
        )
        page.get(f"file://{path}")
        page.find_element(By.ID, "tab-see").click()
        page.execute_script(DRAW, document["drawing"])
        WebDriverWait(page, 20).until(lambda p: p.find_elements(By.CSS_SELECTOR, "#see-chart svg"))
        target = paths.DOCS / "pictures/drawing_page.png"
        page.save_screenshot(str(target))
        print(target)


if __name__ == "__main__":
    console.run(main, errors=(tf.errors.OpError,))
