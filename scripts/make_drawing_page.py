r"""Writes the drawing page of an existing model.

    python scripts/make_drawing_page.py --model=runs/2026-11-22-174400
    python scripts/make_drawing_page.py \
        --model=runs/2026-11-22-174400/export/drawing_classifier/1795369440 --output=draw.html \
        --examples=rnn_tutorial_data

train_model.py writes the same page when it ends. See serving/drawing_page.py for what is inside.
"""

from __future__ import annotations

from common.quiet_tensorflow import tf  # isort: skip  (first, see common/startup.py)

import os
import shlex

from absl import flags

from common import files, programs
from model_folder import evaluations, models
from serving import drawing_page, page_examples

_MODEL = flags.DEFINE_string(
    "model", None, "--model_dir of train_model.py, or an export's folder.", required=True
)
_OUTPUT = flags.DEFINE_string(
    "output", None, f"File to write; {drawing_page.FILE} in the model's folder by default."
)
_EXAMPLES = flags.DEFINE_string(
    "examples", "", "Folder of ndjson files; the page shows some of their drawings of each word."
)


def main() -> None:
    tf.compat.v1.disable_eager_execution()
    path = _OUTPUT.value or os.path.join(_MODEL.value, drawing_page.FILE)
    if _OUTPUT.value:
        files.check_output_file(path, flag="--output")
    with models.copied_model(_MODEL.value) as (trained, copy):
        examples = _EXAMPLES.value and page_examples.from_ndjson(_EXAMPLES.value, trained.classes)
        drawing_page.write(
            path,
            copy,
            examples=examples or None,
            evaluation=evaluations.evaluation_of(trained.checkpoint),
        )
    print(f"Draw: open {shlex.quote(path)}")


if __name__ == "__main__":
    programs.run(main)
