r"""Downloads drawings of the Quick, Draw! data set, only as many of each category as asked for.

    python download_drawings.py --output_path=rnn_tutorial_data --categories=cat,dog,"sea turtle"

An interrupted download continues with the next run. The drawings are made available by Google, Inc.
under the Creative Commons Attribution 4.0 licence:
https://github.com/googlecreativelab/quickdraw-dataset
"""

from __future__ import annotations

from common import startup  # noqa: F401  # isort: skip  (first, see there)

from absl import flags

from common import files, programs
from dataset import download

_OUTPUT_PATH = flags.DEFINE_string(
    "output_path", None, "Folder for the files; made if missing.", required=True
)
_CATEGORIES = flags.DEFINE_list(
    "categories", [], "Categories, separated by commas; by default all 345."
)
_DRAWINGS_PER_CLASS = flags.DEFINE_integer(
    "drawings_per_class",
    11000,
    "Drawings of each category, the first ones; 0 for all.",
    lower_bound=0,
)
_BASE_URL = flags.DEFINE_string(
    "base_url",
    "https://storage.googleapis.com/quickdraw_dataset/full/simplified",
    "Where <category>.ndjson is. The raw drawings are under .../full/raw.",
)


def main() -> int | None:
    categories = programs.flag_items(_CATEGORIES) or download.read_categories()
    files.check_output_folder(_OUTPUT_PATH.value, flag="--output_path")
    failed = download.download_all(
        categories,
        _OUTPUT_PATH.value,
        base_url=_BASE_URL.value,
        max_lines=_DRAWINGS_PER_CLASS.value,
    )
    for reason in failed.values():
        programs.fail(reason)
    print(f"{len(categories) - len(failed)} of {len(categories)} files in {_OUTPUT_PATH.value}")
    return programs.EXIT_ERROR if failed else None


if __name__ == "__main__":
    programs.run(main)
