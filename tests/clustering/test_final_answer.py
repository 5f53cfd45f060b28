from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homogaudit.clustering.final_answer import final_number, is_number


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The answer is 18.", "18"),
        ("She makes $1,234.50 a day.", "1234.50"),
        ("1,234,567", "1234567"),
        ("a deficit of -$5", "-5"),
        ("it was $-5", "-5"),
        ("x = \u22127", "-7"),
        ("2 + (-3)", "-3"),
        ("5-3=2", "2"),
        ("16 - 3", "3"),
        ("- 5 apples", "5"),
        ("between 3\u20135", "5"),
        ("15%", "15"),
        ("**18**", "18"),
        ("5kg", "5"),
        (".5", "0.5"),
        ("about 3/4 of it", "0.75"),
        ("1 1/2 cups", "1.5"),
        ("1\u00bd cups", "1.5"),
        ("on 3/4/2020", "2020"),
        ("7/0", "0"),
        ("1.5 million people", "1500000"),
        ("in Q3 the area was 5 m^2 or 5 m2", "5"),
        ("\u7b54\u6848\u662f18", "18"),
        ("\uff11\uff18", "18"),
        (r"\$1{,}234", "1234"),
        ("first 7, then\n#### 42\nand 9 more", "42"),
        ("#### -1,000", "-1000"),
        ("#### Step 1: add\nso it is 7", "7"),
        (r"\boxed{12}, not 13", "12"),
        (r"\boxed{\frac{3}{4}} of 9", "0.75"),
        (r"\boxed{3\text{ m}^{2}}", "3"),
        (r"\boxed{x} is 4", "4"),
    ],
)
def test_the_final_number_of_an_answer(text: str, expected: str) -> None:
    assert final_number(text) == Decimal(expected)


@pytest.mark.parametrize("text", ["", "no number", "Q3", "...", "$"])
def test_a_text_without_a_number_has_none(text: str) -> None:
    assert final_number(text) is None


@pytest.mark.parametrize("text", ["42", " $1,200.00 ", "3/4", "15%", "-7.", "#### 18", "1 1/2"])
def test_a_plain_number_is_a_number(text: str) -> None:
    assert is_number(text)


@pytest.mark.parametrize("text", ["", "5 km", "June 5", "1990s", "3/4/2020", "1, 2", "two"])
def test_a_text_with_more_than_a_number_is_not_a_number(text: str) -> None:
    assert not is_number(text)


@given(st.decimals(-(10**9), 10**9, places=2))
def test_a_number_written_with_separators_is_read_back(number: Decimal) -> None:
    assert final_number(f"So the total is ${number:,}.") == number


@given(st.text())
def test_no_text_breaks_it(text: str) -> None:
    number = final_number(text)
    assert number is None or number.is_finite()


@pytest.mark.parametrize("piece", ["1", "1,", "1/", "1 1/", "####", r"\boxed{", r"\frac{", "$-", "-", " "])
def test_long_hostile_texts_are_read_in_one_pass(piece: str) -> None:
    final_number(piece * 20_000)
