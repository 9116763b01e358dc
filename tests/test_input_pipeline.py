import math
import os
import re

import numpy as np
import pytest
import tensorflow as tf
from helpers import decode, random_records, random_strokes, read_records, run_dataset, write_records

import input_pipeline
from drawings import ink, ndjson
from records import augmentation, class_list, tfrecords


def drawings_of(batches) -> list[tuple[bytes, int]]:
    """The batches' drawings without their padding, as comparable values."""
    return [
        (drawing[:length].tobytes(), int(index))
        for features, indices in batches
        for drawing, length, index in zip(features["ink"], features["lengths"], indices)
    ]


def expected_drawings(records) -> list[tuple[bytes, int]]:
    return [(drawing.tobytes(), index) for drawing, index in map(decode, records)]


def test_evaluation_is_one_pass_over_every_drawing(tmp_path):
    records = random_records(50)
    files = [write_records(tmp_path / f"r{i}", records[i::3]) for i in range(3)]
    batches = run_dataset(input_pipeline.eval_input_fn(files, batch_size=8, num_classes=3))
    assert sum(len(labels) for _, labels in batches) == 50
    assert sorted(drawings_of(batches)) == sorted(expected_drawings(records))


def test_batches_are_zero_padded_and_typed(tmp_path):
    file = write_records(tmp_path / "r", random_records(10))
    for features, labels in run_dataset(
        input_pipeline.eval_input_fn([file], batch_size=4, num_classes=3)
    ):
        assert features["ink"].dtype == np.float32
        assert features["lengths"].dtype == labels.dtype == np.int64
        assert features["ink"].shape[1] == features["lengths"].max()
        for drawing, rows in zip(features["ink"], features["lengths"]):
            assert np.abs(drawing[:rows]).sum() > 0
            assert not drawing[rows:].any()


def test_sorted_batches_hold_every_drawing_once_an_epoch(tmp_path):
    records = random_records(300)
    files = [write_records(tmp_path / f"r{i}", records[i::4]) for i in range(4)]
    batches = run_dataset(
        input_pipeline.training_input_fn(files, batch_size=4, num_classes=3, seed=0, num_epochs=2)
    )
    assert sorted(drawings_of(batches)) == sorted(2 * expected_drawings(records))
    assert {len(labels) for _, labels in batches} == {4}


def test_training_batches_hold_drawings_of_about_one_length(tmp_path):
    file = write_records(tmp_path / "r", random_records(1024))
    batches = run_dataset(
        input_pipeline.training_input_fn([file], batch_size=8, num_classes=3, seed=0, num_epochs=1)
    )
    padded = sum(features["ink"].shape[0] * features["ink"].shape[1] for features, _ in batches)
    true = sum(features["lengths"].sum() for features, _ in batches)
    assert padded / true < 1.1  # unsorted: 1.7

    lengths = [features["lengths"].max() for features, _ in batches[:32]]
    assert lengths != sorted(lengths)  # but the batches themselves come in random order


def test_training_batches_repeat_with_the_seed_and_differ_without(tmp_path):
    records = random_records(400)
    files = [write_records(tmp_path / f"r{i}", records[i::4]) for i in range(4)]

    def batches(seed):
        return drawings_of(
            run_dataset(
                input_pipeline.training_input_fn(
                    files, batch_size=4, num_classes=3, seed=seed, num_epochs=2
                )
            )
        )

    first = batches(1)
    assert first == batches(1)
    assert first != batches(2)
    assert first[:400] != first[400:]  # each epoch in its own order


def test_training_goes_on_forever_with_full_batches(tmp_path):
    file = write_records(tmp_path / "r", random_records(5))

    def some_batches():
        return input_pipeline.training_input_fn([file], batch_size=4, num_classes=3, seed=0)().take(
            100
        )

    assert {len(labels) for _, labels in run_dataset(some_batches)} == {4}


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
def test_first_strokes_are_the_ink_of_a_drawing_that_ends_there(share):
    rng = np.random.default_rng(0)
    drawings = [random_strokes(rng, max_strokes=9) for _ in range(40)]
    drawings.append([[[0, 0], [0, 9]], [[3, 8], [4, 4]]])  # its first stroke has no width
    # The longest of all, without padding, is a single stroke that never comes back to its start.
    drawings.append([[list(range(100)), list(range(100, 0, -1))]])
    inks = [ink.strokes_to_ink(strokes) for strokes in drawings]
    batch = np.zeros((len(inks), max(map(len, inks)), 3), np.float32)
    for row, drawing in zip(batch, inks):
        row[: len(drawing)] = drawing
    lengths = np.array([len(drawing) for drawing in inks])
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        features = {"ink": tf.constant(batch), "lengths": tf.constant(lengths)}
        first = session.run(augmentation.beginning_of(features, share))
    expected = [ink.strokes_to_ink(s[: math.ceil(share * len(s))]) for s in drawings]
    assert first["lengths"].tolist() == [len(drawing) for drawing in expected]
    assert first["ink"].shape[1] == max(map(len, expected))
    for row, drawing in zip(first["ink"], expected):
        np.testing.assert_allclose(row[: len(drawing)], drawing, atol=1e-5)
        assert not row[len(drawing) :].any()


def test_pattern_that_matches_nothing_names_the_flag(tmp_path):
    with pytest.raises(ValueError, match=r"--eval_data=.* matches no file"):
        input_pipeline.match_files(str(tmp_path / "x*"), flag="--eval_data")


def test_patterns_are_sorted_and_joined_by_commas(tmp_path):
    for name in ("b-1", "a-2", "a-1"):
        (tmp_path / name).touch()
    assert input_pipeline.match_files(f"{tmp_path}/b*,{tmp_path}/a*,{tmp_path}/*-1") == [
        str(tmp_path / name) for name in ("a-1", "a-2", "b-1")
    ]


def test_a_file_is_counted_once_by_whatever_path(tmp_path, monkeypatch):
    (tmp_path / "d").mkdir()
    for name in ("eval-1", "eval-2"):
        (tmp_path / "d" / name).touch()
    (tmp_path / "link").symlink_to("d/eval-1")
    (tmp_path / "linked").symlink_to("d")
    expected = [f"{tmp_path}/d/eval-1", f"{tmp_path}/d/eval-2"]
    for more in (f"{tmp_path}/d/../d/eval*", f"{tmp_path}/linked/eval*", f"{tmp_path}/link"):
        paths = input_pipeline.match_files(f"{tmp_path}/d/eval*,{more}")
        assert sorted(map(os.path.realpath, paths)) == expected
    monkeypatch.chdir(tmp_path)
    assert input_pipeline.count_common(["d/eval-1", "x"], [f"{tmp_path}/linked/eval-1", "y"]) == 1


@pytest.mark.parametrize("part", ["typo*", "typo", "d/typo-?"])
def test_a_part_that_matches_nothing_is_refused_by_its_name(tmp_path, monkeypatch, part):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good-1").touch()
    with pytest.raises(ValueError, match=f"^--eval_data={re.escape(part)} matches no file"):
        input_pipeline.match_files(f"good-*, {part}", flag="--eval_data")


def test_patterns_leave_out_class_lists_and_folders(tmp_path):
    names = ("training.tfrecord-0", "training.tfrecord.classes")
    for name in names:
        (tmp_path / name).touch()
    (tmp_path / "training.tfrecord-old").mkdir()
    paths = input_pipeline.match_files(f"{tmp_path}/training.tfrecord*")
    assert paths == [f"{tmp_path}/training.tfrecord-0"]
    with pytest.raises(ValueError, match=f"=.* is a folder; give {tmp_path}/eval.tfrecord-"):
        input_pipeline.match_files(str(tmp_path), flag="--eval_data")


@pytest.mark.parametrize("name", ["old [1]", "a,b", "x*", "what?", "[1], 2"])
def test_a_folders_name_may_hold_what_patterns_are_made_of(tmp_path, name):
    folder = tmp_path / name / "rec"
    folder.mkdir(parents=True)
    (folder / "training.tfrecord-0").touch()
    for pattern in ("training.tfrecord-*", "training.tfrecord-0"):
        paths = input_pipeline.match_files(f"{folder}/{pattern}")
        assert paths == [f"{folder}/training.tfrecord-0"]


def test_the_tutorials_records_read_as_the_ink_of_their_drawings(quickdraw_data):
    golden = quickdraw_data / "golden"
    classes = class_list.read_classes(str(golden / "records/eval.tfrecord.classes"))
    files = sorted(map(str, (golden / "records").glob("*.tfrecord-*")))
    expected = sorted(
        (drawing.tobytes(), word)
        for path in (golden / "ndjson").glob("*.ndjson")
        for word, drawing in map(ndjson.parse_line, path.read_bytes().splitlines())
    )
    batches = run_dataset(
        input_pipeline.eval_input_fn(files, batch_size=16, num_classes=len(classes))
    )
    assert sorted((data, classes[index]) for data, index in drawings_of(batches)) == expected
    by_protobuf = [decode(record) for file in files for record in read_records(file)]
    assert sorted((d.tobytes(), classes[i]) for d, i in by_protobuf) == expected


def pools_of(batches, size: int) -> list[frozenset]:
    """The drawings of each `size` batches that follow each other."""
    drawings = [frozenset(drawings_of([batch])) for batch in batches]
    return [frozenset().union(*drawings[i : i + size]) for i in range(0, len(drawings), size)]


def test_blocks_come_in_another_order_in_each_epoch(tmp_path, monkeypatch):
    monkeypatch.setattr(input_pipeline, "POOL_BATCHES", 4)  # a block makes a pool
    monkeypatch.setattr(input_pipeline, "SHUFFLE_RECORDS", 256)  # and no set is a small one
    records = random_records(512)
    file = write_records(tmp_path / "r", records)
    batches = run_dataset(
        input_pipeline.training_input_fn([file], batch_size=4, num_classes=3, seed=0, num_epochs=2)
    )
    pools = pools_of(batches, 4)
    first, second = pools[:32], pools[32:]
    in_file = [frozenset(expected_drawings(records[i : i + 16])) for i in range(0, 512, 16)]
    assert set(first) == set(second) == set(in_file)  # 16 records stay together
    assert in_file != first != second != in_file
    assert sum(a == b for a, b in zip(first, second)) < 8


@pytest.mark.parametrize("limit, size", [(1, 1), (8, 2), (1000, 3)])
def test_a_pool_has_a_bound_of_drawings(tmp_path, monkeypatch, limit, size):
    monkeypatch.setattr(input_pipeline, "POOL_BATCHES", 3)
    monkeypatch.setattr(input_pipeline, "POOL_DRAWINGS", limit)
    monkeypatch.setattr(input_pipeline, "BLOCK_RECORDS", 1)
    records = random_records(48)
    file = write_records(tmp_path / "r", records)
    batches = run_dataset(input_pipeline.eval_input_fn([file], batch_size=4, num_classes=3))
    expected = [
        frozenset(expected_drawings(records[i : i + 4 * size])) for i in range(0, 48, 4 * size)
    ]
    assert pools_of(batches, size) == expected


def passes(files, *, batch_size: int, count: int, kept: int) -> list[list]:
    """Batches of training, as drawings; a list for each of `count` passes of `kept` drawings."""
    batches = run_dataset(
        input_pipeline.training_input_fn(
            files, batch_size=batch_size, num_classes=3, seed=0, num_epochs=count
        )
    )
    size = -(-kept // batch_size)
    assert len(batches) == count * size
    return [
        [drawings_of([batch]) for batch in batches[i : i + size]]
        for i in range(0, len(batches), size)
    ]


@pytest.mark.parametrize("num_records, batch_size", [(1, 4), (5, 1), (5, 4), (33, 32), (200, 4)])
@pytest.mark.parametrize("small_set", [256, 32])  # shuffled by records, or by blocks of them
def test_a_pass_holds_no_drawing_twice(tmp_path, monkeypatch, batch_size, num_records, small_set):
    monkeypatch.setattr(input_pipeline, "SHUFFLE_RECORDS", small_set)
    records = random_records(num_records)
    drawings = set(expected_drawings(records))
    files = [write_records(tmp_path / f"r{i}", records[i::2]) for i in range(2)]
    kept = num_records - num_records % batch_size if num_records > batch_size else num_records
    seen = set()
    for batches in passes(files, batch_size=batch_size, count=12, kept=kept):
        assert {len(batch) for batch in batches} == {min(batch_size, num_records)}
        once = {drawing for batch in batches for drawing in batch}
        assert len(once) == kept and once <= drawings
        seen |= once
    assert seen == drawings  # what fills no batch is another drawing each time


def test_batches_of_a_small_set_are_mixed(tmp_path):
    # Six words of ten drawings, each word with drawings of a length of its own: sorted all
    # together they would be batches of one word, the same in each pass.
    encoded = [
        tfrecords.encode_record(np.full((5 * word + 2, 3), i, np.float32).tobytes(), word)
        for word in range(3)
        for i in range(20)
    ]
    files = [write_records(tmp_path / f"r{i}", encoded[i::4]) for i in range(4)]
    all_batches = passes(files, batch_size=8, count=20, kept=56)
    assert len({frozenset(batch) for batches in all_batches for batch in batches}) == 20 * 7
    words = [len({word for _, word in batch}) for batches in all_batches for batch in batches]
    # At random a batch holds on average 3 (1 - C(40, 8) / C(60, 8)) = 2.91 of the three words.
    assert np.mean(words) == pytest.approx(2.91, abs=0.1)


@pytest.mark.parametrize("num_records", [3, 200, 1000])
def test_the_number_of_records_is_estimated(tmp_path, num_records):
    records = random_records(num_records)
    files = [write_records(tmp_path / f"r{i}", records[i::3]) for i in range(3)]
    write_records(tmp_path / "empty", [])
    estimate = input_pipeline.estimate_count([str(tmp_path / "empty"), *files])
    assert estimate == pytest.approx(num_records, rel=0.1 if num_records > 256 else 0)
    assert input_pipeline.estimate_count([str(tmp_path / "empty")]) == 0


@pytest.mark.parametrize("batch_size", [8, 256])
def test_frequent_classes_gain_the_logarithm_of_their_share_of_all_drawings(tmp_path, batch_size):
    drawing = ink.strokes_to_ink([[[0, 1, 2], [0, 3, 1]]]).tobytes()
    labels = [0] * 700 + [1] * 40 + [2] * 300  # in this order: the shares differ from pool to pool
    encoded = [tfrecords.encode_record(drawing, i) for i in labels]
    files = [write_records(tmp_path / f"r{i}", encoded[i::2]) for i in range(2)]
    for part in range(2):  # one file each, and the shares of both
        batches = run_dataset(
            input_pipeline.training_input_fn(
                files,
                batch_size=batch_size,
                num_classes=4,
                seed=0,
                num_epochs=1,
                part=part,
                num_parts=2,
                distortion=0.5,
                class_balance=0.5,
            )
        )
        expected = 0.5 * np.log(np.array([700, 40, 300, 1]) / 1041)  # one where there is none
        for features, _ in batches:
            assert features["logit_adjustment"].dtype == np.float32
            np.testing.assert_allclose(features["logit_adjustment"], expected, rtol=1e-6)


@pytest.mark.parametrize(
    "changes", [{"distortion": 1.0, "beginnings": 0.3}, {"stroke_variation": 1.0}]
)
def test_changed_batches_repeat_with_the_seed(tmp_path, changes):
    file = write_records(tmp_path / "r", random_records(64))

    def batches(seed):
        return run_dataset(
            input_pipeline.training_input_fn(
                [file],
                batch_size=8,
                num_classes=3,
                seed=seed,
                num_epochs=2,
                **changes,
            )
        )

    assert drawings_of(batches(1)) == drawings_of(batches(1))
    first, second = set(drawings_of(batches(1))[:64]), set(drawings_of(batches(1))[64:])
    assert len(first & second) < 32  # another time changed otherwise
