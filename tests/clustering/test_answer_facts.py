import pytest

from homogaudit.clustering.answer_facts import answer_facts, quantities


def numbers(text: str) -> list[tuple[float, str, float]]:
    return sorted((x.value, x.dimension, x.size) for x in quantities(text))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("206", 206),
        ("two hundred and six bones", 206),
        ("twenty-one", 21),
        ("Twenty-one thousand three hundred and five.", 21305),
        ("1,234.5", 1234.5),
        ("1.5 million", 1_500_000),
        ("three billion", 3_000_000_000),
        ("a dozen eggs", 12),
        ("in 1969", 1969),
        ("the 44th president", 44),
        ("nineteen fourteen", 1914),
        ("nineteen forty-three", 1943),
        ("a hundred and sixteen", 116),
        ("half a dozen", 6),
        ("384 000", 384_000),
        ("three hundred and eighty-four thousand", 384_000),
    ],
)
def test_a_number_is_the_same_in_digits_and_in_words(text: str, value: float) -> None:
    assert numbers(text) == [(value, "", value)]


@pytest.mark.parametrize(
    ("one", "other", "agree"),
    [
        ("1 km", "1000 m", True),
        ("one kilometre", "1,000 metres", True),
        ("30 km", "30 miles", False),
        ("2 hours", "120 minutes", True),
        ("2 hours", "2 minutes", False),
        ("30%", "thirty per cent", True),
        ("75 percent", "three quarters of it", True),
        ("half of it", "50%", True),
        ("100 °C", "100 degrees Celsius", True),
        ("100 °C", "100 °F", False),
        ("$3", "3 dollars", True),
        ("98.6 °F", "37 °C", True),
        ("half a kilo", "500 g", True),
        # One is the other rounded, by at most half a percent.
        ("42.195 kilometres", "a little over 42 km", True),
        ("4,806 metres", "around 4,800 metres", True),
        ("239,000 miles", "384,000 km", True),
        ("206 bones", "210 bones", False),
        ("365 days", "366 days", False),
        ("1969", "1970", False),
        # One without a unit may be the same number.
        ("8 minutes", "8", True),
        ("8 minutes", "9", False),
    ],
)
def test_quantities_agree_in_one_dimension_whatever_their_unit(one: str, other: str, agree: bool) -> None:
    (first,), (second,) = quantities(one), quantities(other)
    assert first.agrees(second) is agree
    assert second.agrees(first) is agree


def test_numbers_on_both_sides_of_a_comma_are_two() -> None:
    assert [value for value, _, _ in numbers("sixty-four, eight rows of eight")] == [8, 64]


def test_a_bare_one_and_a_decade_are_no_quantities_of_something() -> None:
    assert numbers("one of them") == []
    assert numbers("the 1960s") == [(1960.0, "", 1960.0)]


def test_what_the_question_says_is_no_content_of_the_answer() -> None:
    facts = answer_facts("How many legs do 3 spiders have?", "3 spiders have twenty-four legs.")
    assert facts.content == frozenset()
    assert [x.value for x in facts.numbers] == [24]


def test_names_are_capitalised_words_within_a_sentence() -> None:
    facts = answer_facts("Who wrote it?", "The play was written by William Shakespeare. It is long.")
    assert facts.names == {"william", "shakespear"}


def test_forms_of_a_word_have_one_stem() -> None:
    one, other = (answer_facts("?", text).content for text in ("It boils quickly.", "boiled quick"))
    assert one == other


@pytest.mark.parametrize(
    ("answer", "denies"),
    [
        ("It is not safe.", True),
        ("It isn't safe.", True),
        ("It isn\u2019t safe.", True),
        ("No, it is safe.", True),
        ("That is a myth.", True),
        ("Yes, it is safe.", False),
        ("It is safe.", False),
        ("Nothing helps.", True),
    ],
)
def test_an_answer_denies_by_its_first_word_or_by_a_negation(answer: str, denies: bool) -> None:
    assert answer_facts("?", answer).denies is denies


@pytest.mark.parametrize(
    ("one", "other", "oppose"),
    [
        ("It is safe.", "It is unsafe.", True),
        ("It rises.", "It falls.", True),
        ("The air is hot.", "The air is cold.", True),
        ("It rises and falls.", "It falls and rises.", False),
        ("It is safe.", "It is red.", False),
        ("It is possible.", "It is impossible.", True),
    ],
)
def test_words_oppose_where_each_answer_has_one_of_them_alone(one: str, other: str, oppose: bool) -> None:
    first, second = answer_facts("?", one), answer_facts("?", other)
    assert first.opposes(second) is oppose
    assert second.opposes(first) is oppose


def test_a_text_without_words_asserts_nothing() -> None:
    facts = answer_facts("?", "...")
    assert (facts.content, facts.numbers, facts.length, facts.denies) == (frozenset(), frozenset(), 1, False)
