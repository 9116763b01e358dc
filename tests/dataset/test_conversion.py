import contextlib
import gzip
import os
import pathlib
import tempfile

import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from helpers import (
    SPLITS,
    contents,
    convert,
    decode,
    ndjson_line,
    random_strokes,
    read_records,
    write_ndjson,
)
from hypothesis import strategies as st

from common import files
from dataset import conversion, shuffle, staging, workers
from drawings import ndjson


def drawings_in(folder, split: str) -> list[tuple[str, bytes]]:
    """(word, ink) of every record of a split, in the files' order."""
    classes = (folder / f"{split}.tfrecord.classes").read_text("utf-8").split("\n")
    files = sorted(folder.glob(f"{split}.tfrecord-?????-of-?????"))
    decoded = [decode(record) for file in files for record in read_records(file)]
    return [(classes[index], drawing.tobytes()) for drawing, index in decoded]


def drawings_of_lines(path, start: int, stop: int) -> list[tuple[str, bytes]]:
    lines = path.read_bytes().splitlines()[start:stop]
    return [(word, drawing.tobytes()) for word, drawing in map(ndjson.parse_line, lines)]


def test_training_takes_the_first_drawings_and_evaluation_the_next(source, tmp_path):
    convert(source, tmp_path / "out")
    files = sorted(source.iterdir())
    for split, start, stop in (("training", 0, 20), ("eval", 20, 25)):
        expected = [d for path in files for d in drawings_of_lines(path, start, stop)]
        assert sorted(drawings_in(tmp_path / "out", split)) == sorted(expected)


def test_files_are_named_as_the_tutorials(source, tmp_path):
    convert(source, tmp_path / "out", num_shards=2)
    assert sorted(os.listdir(tmp_path / "out")) == [
        "eval.tfrecord-00000-of-00002",
        "eval.tfrecord-00001-of-00002",
        "eval.tfrecord.classes",
        "training.tfrecord-00000-of-00002",
        "training.tfrecord-00001-of-00002",
        "training.tfrecord.classes",
    ]
    assert (tmp_path / "out/training.tfrecord.classes").read_text() == "ant\nmouse\nzebra\n"
    assert (tmp_path / "out/eval.tfrecord.classes").read_text() == "ant\nmouse\nzebra\n"


def test_same_seed_same_bytes_whatever_the_number_of_processes(source, tmp_path, monkeypatch):
    convert(source, tmp_path / "a", num_workers=1)
    convert(source, tmp_path / "b", num_workers=3)
    monkeypatch.setattr(conversion, "BUCKET_BYTES", 4000)  # many buckets a shard
    monkeypatch.setattr(shuffle, "SPOOL_BYTES", 1000)
    convert(source, tmp_path / "c", num_workers=2)
    convert(source, tmp_path / "d", num_workers=2, seed=1)
    assert contents(tmp_path / "a") == contents(tmp_path / "b") == contents(tmp_path / "c")
    assert contents(tmp_path / "a") != contents(tmp_path / "d")
    for split in ("training", "eval"):
        assert sorted(drawings_in(tmp_path / "a", split)) == sorted(
            drawings_in(tmp_path / "d", split)
        )


def test_classes_are_mixed_across_and_within_shards(tmp_path):
    for word in ("ant", "bee"):
        write_ndjson(tmp_path / "in", word, 400)
    splits = (conversion.Split("training", 400), conversion.Split("eval", 0))
    convert(tmp_path / "in", tmp_path / "out", splits=splits, num_shards=4)
    words = np.array([word for word, _ in drawings_in(tmp_path / "out", "training")])
    for part in np.array_split(words, 8):  # of 100 each, half of either class give or take 20
        assert 30 <= (part == "ant").sum() <= 70
    assert words.tolist() != sorted(words)


def test_bad_lines_are_skipped_and_counted(tmp_path):
    rng = np.random.default_rng(0)
    good = [ndjson_line("cat", random_strokes(rng)) for _ in range(6)]
    (tmp_path / "in").mkdir()
    (tmp_path / "in/cat.ndjson").write_bytes(
        b"\xef\xbb\xbf"
        + good[0].replace(b"\n", b"\r\n")
        + b"\n"
        + good[1]
        + b"nonsense\n"
        + ndjson_line("dog", random_strokes(rng))
        + good[2]
        + ndjson_line("cat", [[[1], [2]]])
        + b"more nonsense\n"
        + good[3]
        + good[4]
        + good[5][:-9]
    )
    (category,) = convert(tmp_path / "in", tmp_path / "out")
    assert category.used == {"training": 5, "eval": 0}
    assert category.skipped == {
        "blank line": 1,
        "malformed JSON": 3,
        "a word other than the file's, 'cat'": 1,
        "a single point": 1,
    }
    expected = [("cat", ndjson.parse_line(line)[1].tobytes()) for line in good[:5]]
    assert sorted(drawings_in(tmp_path / "out", "training")) == sorted(expected)


BYTES_LINES = st.binary(max_size=60).map(lambda line: line.replace(b"\n", b" "))


BROKEN_LINES = st.tuples(st.integers(0, 80), st.binary(max_size=4)).map(
    lambda change: (GOOD_LINES[0][: change[0]] + change[1]).replace(b"\n", b" ")
)


GOOD_LINES = [
    ndjson_line("ant", random_strokes(np.random.default_rng(seed))).rstrip() for seed in range(9)
]


@hypothesis.given(
    st.lists(st.one_of(BYTES_LINES, BROKEN_LINES, st.sampled_from(GOOD_LINES)), max_size=12),
    st.booleans(),
)
@hypothesis.settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)
def test_no_line_changes_another_ones_record(tmp_path, lines, recognized_only):
    folder = tempfile.mkdtemp(dir=tmp_path)
    # Something to convert, and first: what a file begins with says what the whole file is.
    lines.insert(0, GOOD_LINES[0])
    (pathlib.Path(folder) / "ant.ndjson").write_bytes(b"\n".join(lines) + b"\n")
    job = conversion.Job(
        splits=(conversion.Split("training", 1000),),
        num_shards=2,
        buckets_per_shard=1,
        seed=0,
        recognized_only=recognized_only,
        staging=folder,
    )
    (category,) = conversion.find_categories(folder)
    hypothesis.assume(category.word == "ant")  # chance can write another word
    done = conversion.convert_category(job, category)
    for shard in range(2):
        conversion.write_shard(job, 0, shard)
    records = [
        decode(record)[0].tobytes()
        for path in sorted(pathlib.Path(folder).glob("training.tfrecord-*"))
        for record in read_records(path)
    ]
    expected = []
    for line in lines:
        with contextlib.suppress(ValueError):
            word, drawing = ndjson.parse_line(line, recognized_only=recognized_only)
            expected += [drawing.tobytes()] if word == "ant" else []
    assert sorted(records) == sorted(expected)
    assert done.used == {"training": len(expected)}
    assert done.read == len(lines)
    assert sum(done.skipped.values()) == len(lines) - len(expected)


def test_paths_may_be_any_that_tensorflow_reads_and_writes(source, tmp_path):
    # TensorFlow's file system in memory stands for the remote ones: nothing but gfile knows it.
    for path in source.iterdir():
        tf.io.gfile.copy(str(path), f"ram://in/{path.name}", overwrite=True)
    conversion.convert(
        "ram://in",
        "ram://out",
        splits=SPLITS,
        num_shards=2,
        seed=0,
        num_workers=2,
        describe=lambda folder, _: pathlib.Path(folder, "conversion_report.json").write_text("{}"),
    )
    convert(source, tmp_path / "out", num_shards=2)
    expected = contents(tmp_path / "out")
    assert sorted(tf.io.gfile.listdir("ram://out")) == sorted([*expected, "conversion_report.json"])
    for name, content in expected.items():
        with tf.io.gfile.GFile(f"ram://out/{name}", "rb") as file:
            assert file.read() == content, name


def test_lines_past_those_needed_are_not_counted(tmp_path):
    path = write_ndjson(tmp_path / "in", "cat", 25)
    path.write_bytes(path.read_bytes() + b"nonsense\n" * 5)
    (category,) = convert(tmp_path / "in", tmp_path / "out")
    assert category.used == {"training": 20, "eval": 5}


def test_compressed_files_and_any_script(tmp_path):
    path = write_ndjson(tmp_path / "in", "猫 и кот", 30)
    with gzip.open(tmp_path / "in/猫.ndjson.gz", "wb") as file:
        file.write(path.read_bytes())
    expected = drawings_of_lines(path, 0, 20)
    path.unlink()
    convert(tmp_path / "in", tmp_path / "out")
    assert sorted(drawings_in(tmp_path / "out", "training")) == sorted(expected)


def test_another_number_of_shards_leaves_no_stale_files(source, tmp_path):
    convert(source, tmp_path / "out", num_shards=5)
    (tmp_path / "out/notes.txt").write_text("mine")
    convert(source, tmp_path / "out", num_shards=2)
    names = os.listdir(tmp_path / "out")
    assert len([name for name in names if name.startswith("training.tfrecord-")]) == 2
    assert "notes.txt" in names


def test_test_split_takes_what_training_and_evaluation_left(source, tmp_path):
    splits = (*SPLITS, conversion.Split("test", 3))
    convert(source, tmp_path / "out", splits=splits)
    files = sorted(source.iterdir())
    expected = [d for path in files for d in drawings_of_lines(path, 25, 28)]
    assert sorted(drawings_in(tmp_path / "out", "test")) == sorted(expected)
    convert(source, tmp_path / "out")  # without it: none is left of the earlier run
    assert not list((tmp_path / "out").glob("test.*"))


def test_recognized_only_leaves_out_what_the_game_did_not_recognise(tmp_path):
    rng = np.random.default_rng(0)
    lines = [
        ndjson_line("cat", random_strokes(rng), **fields)
        for fields in [{"recognized": True}, {"recognized": False}, {}] * 4
    ]
    (tmp_path / "in").mkdir()
    (tmp_path / "in/cat.ndjson").write_bytes(b"".join(lines))
    (category,) = convert(tmp_path / "in", tmp_path / "out", recognized_only=True)
    assert category.used["training"] == 8
    assert category.skipped == {"not recognised by the game": 4}
    kept = [line for i, line in enumerate(lines) if i % 3 != 1]
    expected = [("cat", ndjson.parse_line(line)[1].tobytes()) for line in kept]
    assert sorted(drawings_in(tmp_path / "out", "training")) == sorted(expected)


def test_second_conversion_into_a_folder_refuses(source, tmp_path, monkeypatch):
    monkeypatch.setattr(staging, "LOCK_SECONDS", 0.0)
    with (
        staging.staging_folder(str(tmp_path / "out")),
        pytest.raises(ValueError, match="another conversion"),
    ):
        convert(source, tmp_path / "out")


def test_real_drawings_equal_the_tutorials_records(quickdraw_data, tmp_path):
    golden = quickdraw_data / "golden"
    splits = (conversion.Split("training", 5), conversion.Split("eval", 1))
    convert(golden / "ndjson", tmp_path / "out", splits=splits, num_shards=2)
    for split in ("training", "eval"):
        ours = drawings_in(tmp_path / "out", split)
        assert len(ours) == {"training": 290, "eval": 58}[split]
        assert sorted(ours) == sorted(drawings_in(golden / "records", split))


def test_no_more_processes_than_there_is_work(source, tmp_path, monkeypatch):
    asked = []
    worker_pool = workers.worker_pool
    monkeypatch.setattr(
        workers, "worker_pool", lambda number: asked.append(number) or worker_pool(1)
    )
    convert(source, tmp_path / "a", num_workers=1000, num_shards=1)
    convert(source, tmp_path / "b", num_workers=1000, num_shards=4)
    convert(source, tmp_path / "c", num_workers=2, num_shards=4)
    assert asked == [3, 8, 2]  # three files; two splits of four shards


def test_a_split_may_be_empty_but_not_all(source, tmp_path):
    splits = (conversion.Split("training", 0), conversion.Split("eval", 4))
    convert(source, tmp_path / "out", splits=splits)
    expected = [d for path in sorted(source.iterdir()) for d in drawings_of_lines(path, 0, 4)]
    assert sorted(drawings_in(tmp_path / "out", "eval")) == sorted(expected)
    assert drawings_in(tmp_path / "out", "training") == []
    with pytest.raises(ValueError, match="give one of --train_observations_per_class"):
        convert(source, tmp_path / "none", splits=(conversion.Split("training", 0),))


def test_each_class_is_shuffled_in_its_own_way(tmp_path):
    for word in ("ant", "bee"):
        write_ndjson(tmp_path / "in", word, 100)
    splits = (conversion.Split("training", 50), conversion.Split("eval", 50))
    convert(tmp_path / "in", tmp_path / "out", splits=splits, num_shards=1)
    orders = {}
    for split, start in (("training", 0), ("eval", 50)):
        there = drawings_in(tmp_path / "out", split)
        for word in ("ant", "bee"):
            lines = drawings_of_lines(tmp_path / f"in/{word}.ndjson", start, start + 50)
            orders[split, word] = [lines.index(d) for d in there if d[0] == word]
    for key, order in orders.items():
        assert sorted(order) == list(range(50)) != order
        assert [other for other in orders if orders[other] == order] == [key]


def test_a_folder_of_two_conversions_has_no_class_list(source, tmp_path, monkeypatch):
    convert(source, tmp_path / "out")
    replace = os.replace

    def fail(origin, target):
        if target.endswith("training.tfrecord-00001-of-00003"):
            raise OSError(28, "No space left on device")
        replace(origin, target)

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="No space left"):
        convert(source, tmp_path / "out", seed=1)
    assert list((tmp_path / "out").glob("training.tfrecord-*"))
    assert not list((tmp_path / "out").glob("*.classes"))


def test_a_killed_conversion_of_the_old_files_has_no_class_list(source, tmp_path, monkeypatch):
    convert(source, tmp_path / "out")
    remove, removed = files.remove, []

    def stop_after_three(path):
        if len(removed) == 3:
            raise OSError("killed")
        removed.append(path)
        remove(path)

    monkeypatch.setattr(files, "remove", stop_after_three)
    with pytest.raises(OSError, match="killed"):
        convert(source, tmp_path / "out", seed=1)
    assert not list((tmp_path / "out").glob("*.classes"))
