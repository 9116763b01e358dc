import json
import os
import pathlib
import resource
import signal
import subprocess
import time

import pytest
from helpers import contents, run_new_process, run_program, start_program, write_ndjson
from PIL import Image

from dataset import staging


def program_args(source, target, **flags) -> list[str]:
    defaults = {
        "ndjson_path": source,
        "output_path": target,
        "train_observations_per_class": 20,
        "eval_observations_per_class": 5,
        "output_shards": 2,
    }
    return ["create_dataset.py", *(f"--{k}={v}" for k, v in {**defaults, **flags}.items())]


def test_program_says_what_it_did(source, tmp_path):
    write_ndjson(source, "short", 3)
    with (source / "ant.ndjson").open("rb+") as file:
        file.write(b"#")  # spoils the first line
    done = run_program(*program_args(source, tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    assert "4 categories." in done.stdout
    assert "Skipped 1 lines:" in done.stdout and "1  malformed JSON" in done.stdout
    assert "training: 63 drawings in" in done.stdout
    assert "eval: 15 drawings in" in done.stdout
    assert "fewer than the 20 asked for in 1 categories: short (3)" in done.stdout
    assert f"{tmp_path}/out/training.tfrecord-?????-of-00002" in done.stdout
    report = json.loads((tmp_path / "out/conversion_report.json").read_text())
    assert report["settings"]["train_observations_per_class"] == 20
    assert report["total"]["drawings"] == {"training": 63, "eval": 15}
    with Image.open(tmp_path / "out/conversion_samples.png") as picture:
        assert min(picture.size) > 150 and picture.convert("L").getextrema() == (0, 255)
    assert "Converting: 100%" in done.stderr
    assert "\r" not in done.stderr and "tensorflow" not in done.stderr.lower()


def test_a_file_of_several_words_one_after_the_other_is_warned_about(source, tmp_path):
    with (source / "ant.ndjson").open("ab") as file:
        file.write((source / "zebra.ndjson").read_bytes() + (source / "mouse.ndjson").read_bytes())
    flags = {"train_observations_per_class": 1000}
    done = run_program(*program_args(source, tmp_path / "out", **flags))
    assert done.returncode == 0
    assert "ant.ndjson: 60 of its drawings have another word than the first, 'ant'" in done.stderr


@pytest.mark.parametrize(
    "flags, message",
    [
        ({"ndjson_path": "nowhere"}, "--ndjson_path=nowhere: no such folder"),
        ({"output_shards": 0}, "output_shards"),
        ({"train_observations_per_class": -1}, "train_observations_per_class"),
        ({"output_path": "/proc/nowhere"}, "/proc/nowhere"),
    ],
)
def test_program_refuses_without_a_traceback(source, tmp_path, flags, message):
    done = run_program(*program_args(source, tmp_path / "out", **flags))
    assert done.returncode == 1
    assert message in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_program_names_required_flags():
    done = run_program("create_dataset.py", "--ndjson_path=somewhere")
    assert done.returncode == 1
    assert "error: --output_path is required" in done.stderr


def test_program_refuses_stray_arguments(source, tmp_path):
    done = run_program(*program_args(source, tmp_path / "out"), "stray")
    assert done.returncode == 1 and "unexpected argument 'stray'" in done.stderr


def test_full_disk_leaves_the_previous_result(source, tmp_path):
    # A limit on a file's size fails a write as a full disk does, without one to fill.
    args = program_args(source, tmp_path / "out", workers=1)
    assert run_program(*args).returncode == 0
    before = contents(tmp_path / "out")

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))

    done = run_new_process(*args, preexec_fn=limit)
    assert done.returncode == 1
    assert done.stderr.endswith(f"error: {tmp_path}/out: File too large\n")
    assert "Traceback" not in done.stderr
    assert contents(tmp_path / "out") == before


def wait_for_staging(process: subprocess.Popen, folder: pathlib.Path) -> None:
    """Returns once the program is at work, or has ended."""
    while process.poll() is None and not list(folder.glob(staging.STAGING_PREFIX + "*")):
        time.sleep(0.01)


MANY = {"train_observations_per_class": 1400, "eval_observations_per_class": 100}


@pytest.fixture(scope="module")
def converted(tmp_path_factory) -> pathlib.Path:
    """A folder with drawings in `in` and what the program made of them in `out`."""
    folder = tmp_path_factory.mktemp("converted")
    for word in "abcdefgh":
        write_ndjson(folder / "in", word, 1500)
    assert run_program(*program_args(folder / "in", folder / "out", **MANY)).returncode == 0
    return folder


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_interrupted_run_leaves_the_previous_result_and_the_next_succeeds(converted, number):
    source, out = converted / "in", converted / "out"
    before = contents(out)

    process = start_program(*program_args(source, out, **MANY, seed=1))
    wait_for_staging(process, out)
    os.kill(process.pid, number)
    output = process.communicate(timeout=60)[0]
    assert process.returncode != 0
    assert "Traceback" not in output
    assert contents(out) == before

    assert run_program(*program_args(source, out, **MANY)).returncode == 0
    assert contents(out) == before
