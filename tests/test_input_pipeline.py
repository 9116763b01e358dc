import math
import re

import numpy as np
import pytest
import tensorflow as tf
from helpers import decode, random_records, random_strokes, read_records, run_dataset, write_records

import input_pipeline
from drawings import ink, ndjson


def drawings_of(batches) -> list[tuple[bytes, int]]:
    """The batches' drawings without their padding, as comparable values."""
    return [
        (drawing[: shape[0]].tobytes(), int(index))
        for features, indices in batches
        for drawing, shape, index in zip(features["ink"], features["shape"], indices)
    ]


def expected_drawings(records) -> list[tuple[bytes, int]]:
    return [(drawing.tobytes(), index) for drawing, index in map(decode, records)]


@pytest.mark.parametrize("rows", [1, 2, 9, 10, 11, 45, 766, 5000])
@pytest.mark.parametrize("class_index", [0, 127, 128, 344])
def test_encoded_record_is_what_protobuf_reads(rows, class_index):
    drawing = np.random.default_rng(rows).normal(size=(rows, 3)).astype(np.float32)
    decoded, index = decode(input_pipeline.encode_record(drawing.tobytes(), class_index))
    np.testing.assert_array_equal(decoded, drawing)
    assert index == class_index


def test_encoded_record_is_what_protobuf_writes():
    drawing = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    feature = tf.train.Example().features.feature
    example = tf.train.Example()
    feature = example.features.feature
    feature["ink"].float_list.value.extend(drawing.ravel())
    feature["shape"].int64_list.value.extend(drawing.shape)
    feature["class_index"].int64_list.value.append(300)
    assert input_pipeline.encode_record(drawing.tobytes(), 300) == example.SerializeToString(
        deterministic=True
    )


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
        assert features["shape"].dtype == labels.dtype == np.int64
        assert features["ink"].shape[1] == features["shape"][:, 0].max()
        for drawing, (rows, columns) in zip(features["ink"], features["shape"]):
            assert columns == 3
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
    true = sum(features["shape"][:, 0].sum() for features, _ in batches)
    assert padded / true < 1.1  # unsorted: 1.7

    lengths = [features["shape"][:, 0].max() for features, _ in batches[:32]]
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


def test_classes_survive_the_file_in_any_script(tmp_path):
    classes = ["aircraft carrier", "кот", "猫", "crème brûlée", " spaces "]
    path = str(tmp_path / "classes")
    input_pipeline.write_classes(path, classes)
    assert input_pipeline.read_classes(path) == classes
    (tmp_path / "classes").write_bytes("\ufeffcat\r\nкот\r\n".encode())
    assert input_pipeline.read_classes(path) == ["cat", "кот"]


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "empty"),
        (b"\n\n", "empty"),
        (b"cat\n\ndog\n", "line 2: a blank line"),
        (b"cat\ndog\ncat\n", "line 3: class 'cat' stands on line 1 already"),
        (b"caf\xe9\n", "not a class list in UTF-8"),
    ],
)
def test_bad_class_list_is_refused(tmp_path, content, message):
    path = tmp_path / "classes"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as refusal:
        input_pipeline.read_classes(str(path))
    assert str(path) in str(refusal.value)


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
    shape = np.array([drawing.shape for drawing in inks])
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        features = {"ink": tf.constant(batch), "shape": tf.constant(shape)}
        first = session.run(input_pipeline.first_strokes(features, share))
    expected = [ink.strokes_to_ink(s[: math.ceil(share * len(s))]) for s in drawings]
    assert first["shape"].tolist() == [list(drawing.shape) for drawing in expected]
    assert first["ink"].shape[1] == max(map(len, expected))
    for row, drawing in zip(first["ink"], expected):
        np.testing.assert_allclose(row[: len(drawing)], drawing, atol=1e-5)
        assert not row[len(drawing) :].any()


def test_missing_class_list_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no such class list"):
        input_pipeline.read_classes(str(tmp_path / "classes"))


def test_pattern_that_matches_nothing_names_the_flag(tmp_path):
    with pytest.raises(ValueError, match=r"--eval_data=.* matches no file"):
        input_pipeline.match_files(str(tmp_path / "x*"), flag="--eval_data")


def test_patterns_are_sorted_and_joined_by_commas(tmp_path):
    for name in ("b-1", "a-2", "a-1"):
        (tmp_path / name).touch()
    assert input_pipeline.match_files(f"{tmp_path}/b*,{tmp_path}/a*,{tmp_path}/*-1") == [
        str(tmp_path / name) for name in ("a-1", "a-2", "b-1")
    ]


def example(**features) -> bytes:
    proto = tf.train.Example()
    for key, values in features.items():
        kind = "float_list" if key == "ink" else "int64_list"
        getattr(proto.features.feature[key], kind).value.extend(values)
    return proto.SerializeToString()


BAD_RECORDS = {
    "not a serialized": b"\x0a\xffnonsense",
    "no ink and no shape": example(class_index=[0]),
    "shape [1, 2]": example(ink=[0, 0, 0], shape=[1, 2], class_index=[0]),
    "shape [2, 3] for 3": example(ink=[0, 0, 0], shape=[2, 3], class_index=[0]),
    "shape [0, 3] for 0": example(ink=[], shape=[0, 3], class_index=[0]),
    "2 class indices": example(ink=[0, 0, 0], shape=[1, 3], class_index=[0, 1]),
    "class_index 3, but the class list has 3": example(
        ink=[0, 0, 0], shape=[1, 3], class_index=[3]
    ),
    "class_index -1": example(ink=[0, 0, 0], shape=[1, 3], class_index=[-1]),
}


@pytest.mark.parametrize("problem", BAD_RECORDS)
def test_bad_record_stops_reading_and_is_found(tmp_path, problem):
    good = random_records(20)
    file = write_records(tmp_path / "r", [*good[:10], BAD_RECORDS[problem], *good[10:]])
    # TensorFlow fails at its own message where it quotes bytes that are no UTF-8.
    with pytest.raises((tf.errors.InvalidArgumentError, UnicodeDecodeError)):
        run_dataset(input_pipeline.eval_input_fn([file], batch_size=4, num_classes=3))
    found = input_pipeline.find_bad_record([file], num_classes=3)
    assert found.startswith(f"{file}, record 11: ")
    assert problem in found


def test_good_records_have_nothing_wrong(tmp_path):
    file = write_records(tmp_path / "r", random_records(20))
    assert input_pipeline.find_bad_record([file], num_classes=3) is None


@pytest.mark.parametrize("damage", ["cut", "flipped", "text"])
def test_damaged_file_is_found(tmp_path, damage):
    path = tmp_path / "r"
    write_records(path, random_records(20))
    content = bytearray(path.read_bytes())
    if damage == "cut":
        content = content[:-7]
    elif damage == "flipped":
        content[len(content) // 2] ^= 1
    else:
        content = b"cat,dog\n" * 100
    path.write_bytes(content)
    with pytest.raises(tf.errors.DataLossError):
        run_dataset(input_pipeline.eval_input_fn([str(path)], batch_size=4, num_classes=3))
    found = input_pipeline.find_bad_record([str(path)], num_classes=3)
    assert re.match(rf"{path}: cannot be read after record \d+: .*convert or copy it again", found)


def test_files_without_records_are_refused(tmp_path):
    files = [write_records(tmp_path / name, []) for name in "ab"]
    with pytest.raises(ValueError, match="--eval_data: .* hold no record"):
        input_pipeline.check_first_records(files, num_classes=3, flag="--eval_data")


def test_the_tutorials_records_read_as_the_ink_of_their_drawings(quickdraw_data):
    golden = quickdraw_data / "golden"
    classes = input_pipeline.read_classes(str(golden / "records/eval.tfrecord.classes"))
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
