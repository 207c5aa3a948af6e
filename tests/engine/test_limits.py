import math
from fractions import Fraction

import numpy as np
import pytest

from marketcam.engine import LimitError
from marketcam.engine.limits import finite_number_in, whole_number


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3)])
def test_integers_of_every_kind_become_an_int(value):
    assert type(whole_number("n", value, 3, 3)) is int
    assert whole_number("n", value, 3, 3) == 3


@pytest.mark.parametrize("value", [2, 6, 2**70, True, np.True_, 3.0, np.float64(3), "3", None])
def test_what_is_no_whole_number_in_range_is_named(value):
    with pytest.raises(LimitError) as refusal:
        whole_number("n", value, 3, 5)
    assert str(refusal.value) == f"n must be a whole number of 3 to 5, got {value!r}"


def test_a_whole_number_without_an_upper_limit():
    assert whole_number("n", 2**53 - 1, 0) == 2**53 - 1
    with pytest.raises(LimitError, match=r"^n must be a whole number from 1, got 0$"):
        whole_number("n", 0, 1)
    with pytest.raises(LimitError, match=r"^n must be a whole number from 1, got"):
        whole_number("n", 2**70, 1)


@pytest.mark.parametrize("value", [1, 1.0, np.float32(1), np.int8(1), Fraction(1)])
def test_numbers_of_every_kind_become_a_float(value):
    assert type(finite_number_in("x", value, 0.0, 1.0)) is float
    assert finite_number_in("x", value, 0.0, 1.0) == 1.0


@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan, math.inf, True, np.True_, 1j, "1", None])
def test_what_is_no_number_in_range_is_named(value):
    with pytest.raises(LimitError) as refusal:
        finite_number_in("x", value, 0.0, 1.0)
    assert str(refusal.value) == f"x must be a finite number of 0.0 to 1.0, got {value!r}"


def test_a_number_without_an_upper_limit_is_finite_all_the_same():
    with pytest.raises(LimitError, match=r"^x must be a finite number from 0\.0, got inf$"):
        finite_number_in("x", math.inf, 0.0)
