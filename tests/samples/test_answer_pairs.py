from collections import Counter
from pathlib import Path

import pytest

from homogaudit.clustering.answer_pairs import KINDS, AnswerPair, load_answer_pairs

FILE = Path(__file__).parents[2] / "samples" / "answer_pairs.jsonl"


@pytest.fixture(scope="module")
def pairs() -> tuple[AnswerPair, ...]:
    return load_answer_pairs(FILE).pairs


def test_there_are_enough_pairs_half_of_them_of_different_meaning(pairs: tuple[AnswerPair, ...]) -> None:
    assert len(pairs) >= 400
    assert sum(pair.same for pair in pairs) * 2 == len(pairs)


def test_half_of_the_different_pairs_are_near_misses_of_three_kinds_alike(pairs: tuple[AnswerPair, ...]) -> None:
    kinds = Counter(pair.kind for pair in pairs)
    near = [kinds[kind] for kind in ("number", "name", "negation")]
    assert sum(near) == kinds["other"]
    assert max(near) - min(near) <= 1
    assert set(kinds) == set(KINDS)


def test_no_pair_stands_twice_and_none_holds_one_text_twice(pairs: tuple[AnswerPair, ...]) -> None:
    assert max(Counter(frozenset((pair.a, pair.b)) for pair in pairs).values()) == 1
    assert all(pair.a.casefold() != pair.b.casefold() for pair in pairs)


def test_there_are_a_hundred_questions_with_the_same_number_of_pairs(pairs: tuple[AnswerPair, ...]) -> None:
    questions = Counter(pair.question for pair in pairs)
    assert len(questions) >= 100
    assert set(questions.values()) == {4}


def test_answers_are_one_or_two_short_sentences(pairs: tuple[AnswerPair, ...]) -> None:
    assert max(len(text) for pair in pairs for text in (pair.a, pair.b)) <= 130


def test_a_changed_number_changes_a_number_and_nothing_else_of_the_length(pairs: tuple[AnswerPair, ...]) -> None:
    near = [pair for pair in pairs if pair.kind == "number"]
    shared = [len({*pair.a.split()} & {*pair.b.split()}) for pair in near]
    assert sum(count >= 3 for count in shared) * 2 > len(near)


def test_openings_of_answers_hardly_repeat(pairs: tuple[AnswerPair, ...]) -> None:
    texts = {text for pair in pairs for text in (pair.a, pair.b)}
    openings = Counter(" ".join(text.split()[:3]) for text in texts)
    assert openings.most_common(1)[0][1] <= len(texts) / 50
