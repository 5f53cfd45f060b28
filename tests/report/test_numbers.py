import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homogaudit.report import numbers


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0%"),
        (1.0, "100%"),
        (0.125, "12.5%"),
        (0.0004, "<0.1%"),
        (0.9996, ">99.9%"),
        (0.9994, "99.9%"),
        (None, "-"),
        (math.nan, "-"),
    ],
)
def test_a_share_is_written_as_per_cent(value: float | None, text: str) -> None:
    assert numbers.percent(value) == text


@given(st.floats(min_value=0, max_value=1))
def test_only_nothing_is_zero_per_cent_and_only_everything_is_a_hundred(value: float) -> None:
    text = numbers.percent(value)
    assert (text == "0%") == (value == 0)
    assert (text == "100%") == (value == 1)
    assert text not in ("0.0%", "100.0%")


@pytest.mark.parametrize(
    ("value", "text"), [(0.5196, "0.520"), (-0.0001, "0.000"), (-0.25, "-0.250"), (None, "-"), (math.inf, "-")]
)
def test_a_decimal_has_three_places_and_no_negative_zero(value: float | None, text: str) -> None:
    assert numbers.decimal(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.18, "0.18"),
        (0.0523, "0.052"),
        (0.0999, "0.10"),
        (0.0042, "0.004"),
        (0.0002, "<0.001"),
        (0.0, "<0.001"),
        (0.996, ">0.99"),
        (1.0, "1"),
        (None, "-"),
    ],
)
def test_a_p_value_keeps_what_decides(value: float | None, text: str) -> None:
    assert numbers.p_value(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 s"),
        (0.00001, "<0.1 ms"),
        (0.0032, "3.2 ms"),
        (0.25, "250 ms"),
        (0.9996, "1.0 s"),
        (4.13, "4.1 s"),
        (59.96, "1 min 0 s"),
        (725.2, "12 min 5 s"),
        (7620.0, "2 h 7 min"),
        (None, "-"),
        (-1.0, "-"),
    ],
)
def test_a_duration_has_the_unit_that_fits(seconds: float | None, text: str) -> None:
    assert numbers.duration(seconds) == text


def test_intervals_counts_and_shares_are_written_alike_everywhere() -> None:
    assert numbers.interval(0.4628, 0.5764) == "[0.463, 0.576]"
    assert numbers.interval(None, 0.5) == "-"
    assert numbers.percent_interval(0.012, 0.08) == "[1.2%, 8.0%]"
    assert numbers.percent_interval(0.0, None) == "-"
    assert numbers.count(8690) == "8,690"
    assert numbers.count(None) == "-"
    assert numbers.share(26, 1500) == "26 of 1,500"
