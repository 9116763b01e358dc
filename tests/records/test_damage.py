import gzip
import re

import pytest
import tensorflow as tf
from helpers import random_records, run_dataset, write_records

import input_pipeline
from records import damage


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
    message = damage.find_bad_record([file], num_classes=3)
    assert message.startswith(f"{file}, record 11: ")
    assert problem in message


def test_good_records_have_nothing_wrong(tmp_path):
    file = write_records(tmp_path / "r", random_records(20))
    assert damage.find_bad_record([file], num_classes=3) is None


@pytest.mark.parametrize("fault", ["cut", "flipped", "text"])
def test_damaged_file_is_found(tmp_path, fault):
    path = tmp_path / "r"
    write_records(path, random_records(20))
    content = bytearray(path.read_bytes())
    if fault == "cut":
        content = content[:-7]
    elif fault == "flipped":
        content[len(content) // 2] ^= 1
    else:
        content = b"cat,dog\n" * 100
    path.write_bytes(content)
    with pytest.raises(tf.errors.DataLossError):
        run_dataset(input_pipeline.eval_input_fn([str(path)], batch_size=4, num_classes=3))
    message = damage.find_bad_record([str(path)], num_classes=3)
    assert re.match(
        rf"{path}: cannot be read after record \d+: .*convert or copy it again", message
    )


def test_files_without_records_are_refused(tmp_path):
    files = [write_records(tmp_path / name, []) for name in "ab"]
    with pytest.raises(ValueError, match="--eval_data: .* hold no record"):
        damage.check_first_records(files, num_classes=3, flag="--eval_data")


def test_a_file_that_gzip_compressed_is_named_as_such(tmp_path):
    path = tmp_path / "eval.tfrecord-0"
    path.write_bytes(gzip.compress(b"".join(random_records(3))))
    message = damage.find_bad_record([str(path)], num_classes=3)
    assert message == f"{path}: is compressed with gzip; decompress it with gunzip"
