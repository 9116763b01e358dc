import pytest

from drawings import compiled


def test_a_function_whose_machine_code_cannot_be_kept_is_compiled_all_the_same():
    names: dict = {}
    exec("def third(x):\n    return x / 3", names)  # stands in no file beside which it could be
    assert compiled.compiled(names["third"])(0.0) == 0
    # By NumPy's rules, not by Python's, which would look for a zero at every division.
    exec("def inverse(x):\n    return 1 / x", names)
    assert compiled.compiled(names["inverse"])(0.0) == float("inf")
    with pytest.raises(ZeroDivisionError):
        names["inverse"](0.0)
