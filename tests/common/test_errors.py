import pathlib

import pytest
import tensorflow as tf

from common import errors


def test_the_reason_of_an_error_comes_without_tensorflows_graph():
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        fed = tf.compat.v1.placeholder(tf.float32)
        checked = tf.debugging.check_numerics(fed, "ink holds NaN") + 1
        with pytest.raises(tf.errors.InvalidArgumentError) as failed:
            session.run(checked, {fed: [float("nan")]})
    said = errors.reason(failed.value)
    assert said.startswith("ink holds NaN") and "\n" not in said and "[[" not in said
    assert errors.reason(ValueError("plain\n  text")) == "plain\n  text"


def test_an_error_of_a_file_names_it_first():
    with pytest.raises(OSError) as failed:
        pathlib.Path("/nowhere/at/all").read_bytes()
    assert errors.reason(failed.value) == "/nowhere/at/all: No such file or directory"
    assert errors.reason(OSError("no number and no file")) == "no number and no file"
