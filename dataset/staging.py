"""Output folders whose files appear all at once, when all are complete."""

from __future__ import annotations

import contextlib
import glob
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence

from common import files, locks

# The workers of a conversion that was killed hold its lock a moment more.
LOCK_SECONDS = 3.0

STAGING_PREFIX = ".create_dataset-"


@contextlib.contextmanager
def staging_folder(output_path: str) -> Iterator[str]:
    """A local folder for unfinished files, beside the finished ones if those are local.

    Holds a lock, so that of two conversions into one folder the second refuses; the folder of
    one that was killed is removed by the next.
    """
    if files.is_remote(output_path):
        files.make_folder(output_path)
        with tempfile.TemporaryDirectory(prefix=STAGING_PREFIX) as staging:
            yield staging
        return
    busy = "another conversion is writing there"
    with locks.only_writer(output_path, busy=busy, patience_secs=LOCK_SECONDS):
        for left_over in glob.glob(os.path.join(glob.escape(output_path), STAGING_PREFIX + "*")):
            shutil.rmtree(left_over)
        staging = tempfile.mkdtemp(prefix=STAGING_PREFIX, dir=output_path)
        try:
            yield staging
        finally:
            shutil.rmtree(staging, ignore_errors=True)


def publish(staging: str, output_path: str, *, splits: Sequence[str]) -> None:
    """Gives the finished files their names, in the place of all earlier ones of the splits.

    The class lists go first and come last: a folder whose files are of two conversions, because
    a machine stopped in this very moment, has none, and training says so.
    """
    ours = re.compile(rf"({'|'.join(splits)})\.tfrecord(\.classes|-\d{{5}}-of-\d{{5}})")
    stale = [name for name in files.list_folder(output_path) if ours.fullmatch(name)]
    for name in sorted(stale, key=lambda name: not name.endswith(".classes")):
        files.remove(os.path.join(output_path, name))
    finished = sorted(os.listdir(staging), key=lambda name: name.endswith(".classes"))
    for name in finished:
        source, target = os.path.join(staging, name), os.path.join(output_path, name)
        if files.is_remote(output_path):
            files.copy(source, target)
        else:
            files.rename(source, target)
