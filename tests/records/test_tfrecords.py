import numpy as np
import pytest
import tensorflow as tf
from helpers import decode

from records import tfrecords


@pytest.mark.parametrize("rows", [1, 2, 9, 10, 11, 45, 766, 5000])
@pytest.mark.parametrize("class_index", [0, 127, 128, 344])
def test_encoded_record_is_what_protobuf_reads(rows, class_index):
    drawing = np.random.default_rng(rows).normal(size=(rows, 3)).astype(np.float32)
    decoded, index = decode(tfrecords.encode_record(drawing.tobytes(), class_index))
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
    assert tfrecords.encode_record(drawing.tobytes(), 300) == example.SerializeToString(
        deterministic=True
    )
