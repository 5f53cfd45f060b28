from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homogaudit.clustering.written_numbers import in_digits, other_readings, written

ONES = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen".split()
ONES += "seventeen eighteen nineteen".split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()


def spelled(number: int, join: str = "-", and_: str = " and ") -> str:
    """The English name of a whole number below a million, as schoolbooks write it."""
    if number < 20:
        return ONES[number]
    if number < 100:
        return TENS[number // 10 - 2] + (join + ONES[number % 10] if number % 10 else "")
    if number < 1000:
        rest = number % 100
        return f"{ONES[number // 100]} hundred" + (and_ + spelled(rest, join, and_) if rest else "")
    rest = number % 1000
    return f"{spelled(number // 1000, join, and_)} thousand" + (
        (and_ if rest < 100 else " ") + spelled(rest, join, and_) if rest else ""
    )


@given(st.integers(0, 999_999), st.sampled_from("- "), st.sampled_from([" and ", " "]))
def test_every_number_in_words_is_read_back(number: int, join: str, and_: str) -> None:
    assert in_digits(f"It is {spelled(number, join, and_)}.") == f"It is {number}."


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a thousand", "1000"),
        ("twelve hundred", "1200"),
        ("half a dozen eggs", "6 eggs"),
        ("two dozen", "24"),
        ("two and a half", "2.5"),
        ("2 and a half cups", "2.5 cups"),
        ("three and a half million", "3500000"),
        ("one million two hundred thousand and five", "1200005"),
        ("two thirds of it", "2/3 of it"),
        ("a quarter of it", "1/4 of it"),
        ("three point one four", "3.14"),
        ("nineteen sixty-nine", "1969"),
        ("minus seven", "-7"),
        ("seven below zero", "-7 below 0"),
        ("ten minus three is seven", "10 minus 3 is 7"),
        ("1 000 and 12\u2009500 and 384\u202f400", "1000 and 12500 and 384400"),
        ("12'500", "12500"),
        ("1.234.567", "1234567"),
        ("1.234,5", "1234.5"),
        ("2,5 kg", "2.5 kg"),
        ("1.5k", "1500"),
        ("8bn", "8000000000"),
        ("50 per cent", "50 percent"),
    ],
)
def test_numbers_become_digits(text: str, expected: str) -> None:
    assert in_digits(text) == expected


@pytest.mark.parametrize(
    "text",
    ["no one knows", "the only one", "one of them", "2,3,5", "in 2019 200 people", "a third person", "half-brother"],
)
def test_what_counts_nothing_stays_as_it_is(text: str) -> None:
    assert in_digits(text) == text


def test_ordinals_are_read_where_they_are_asked_for() -> None:
    assert in_digits("the twenty-first and the third", ordinals=True) == "the 21st and the 3rd"
    assert in_digits("metres per second") == "metres per second"


@pytest.mark.parametrize(
    ("text", "readings"),
    [
        ("12.500", {Fraction(12500)}),
        ("3,142", {Fraction(3142, 1000)}),
        ("3,4", {Fraction(3), Fraction(4)}),
        ("1M", {Fraction(10**6), Fraction(10**9)}),
        ("- 7", {Fraction(-7)}),
        ("12", set()),
    ],
)
def test_a_number_of_two_meanings_has_another_reading(text: str, readings: set[Fraction]) -> None:
    assert other_readings(text) == readings


def test_values_are_written_as_decimals_where_they_are_some() -> None:
    assert [written(Fraction(x)) for x in ("5/2", "1/3", "12", "1/8")] == ["2.5", "1/3", "12", "0.125"]
