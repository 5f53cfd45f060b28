import gzip
import json
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from homogaudit.clustering.answer_pairs import KINDS, AnswerPair, load_answer_pairs

SAMPLES = Path(__file__).parents[2] / "samples"
NEAR_MISSES = ("number", "name", "negation")


@pytest.fixture(scope="module")
def pairs() -> tuple[AnswerPair, ...]:
    return load_answer_pairs(SAMPLES / "answer_pairs.jsonl").pairs


@pytest.fixture(scope="module")
def written(pairs: tuple[AnswerPair, ...]) -> list[AnswerPair]:
    return [pair for pair in pairs if pair.source == "written"]


def words(text: str) -> int:
    return len(text.split())


def sentences(text: str) -> int:
    return sum(text.count(mark) for mark in (". ", "? ", "! ")) + 1


def test_a_thousand_pairs_are_written_or_drawn_from_runs(pairs: tuple[AnswerPair, ...]) -> None:
    sources = Counter(pair.source for pair in pairs)
    assert len(pairs) >= 1000
    assert sources["run"] >= 300
    assert sources["written"] >= 424 + 300
    assert set(sources) == {"written", "run"}


def test_about_half_of_the_written_pairs_mean_the_same(written: list[AnswerPair]) -> None:
    assert 0.45 <= sum(pair.same for pair in written) / len(written) <= 0.55


def test_most_kinds_of_written_pairs_hold_both_meanings(written: list[AnswerPair]) -> None:
    counts = Counter((pair.kind, pair.same) for pair in written)
    both = {kind for kind in KINDS if min(counts[kind, True], counts[kind, False]) >= 5}
    assert set(KINDS) - both == {"paraphrase", "number", "other"}
    assert min(counts[kind, False] for kind in NEAR_MISSES) >= 60


def test_no_pair_stands_twice_and_none_holds_one_text_twice(pairs: tuple[AnswerPair, ...]) -> None:
    assert max(Counter((pair.question, frozenset((pair.a, pair.b))) for pair in pairs).values()) == 1
    assert all(pair.a.casefold() != pair.b.casefold() for pair in pairs)


def test_every_subject_holds_enough_pairs_of_both_meanings_to_be_held_out(pairs: tuple[AnswerPair, ...]) -> None:
    counts = Counter((str(pair.subject), pair.same) for pair in pairs)
    subjects = {subject for subject, _ in counts}
    assert 12 <= len(subjects) <= 16
    assert min(counts[subject, same] for subject in subjects for same in (True, False)) >= 10


def test_a_question_has_one_subject(pairs: tuple[AnswerPair, ...]) -> None:
    subjects: dict[str, set[str | None]] = defaultdict(set)
    for pair in pairs:
        subjects[pair.question].add(pair.subject)
    assert {len(found) for found in subjects.values()} == {1}
    assert len(subjects) >= 300


def test_no_question_has_many_pairs(pairs: tuple[AnswerPair, ...]) -> None:
    assert max(Counter(pair.question for pair in pairs).values()) <= 7


def test_answers_are_bare_names_and_whole_paragraphs_too(pairs: tuple[AnswerPair, ...]) -> None:
    assert sum(max(words(pair.a), words(pair.b)) <= 3 for pair in pairs) >= 80
    assert sum(min(sentences(pair.a), sentences(pair.b)) >= 3 for pair in pairs) >= 50
    assert max(len(text) for pair in pairs for text in (pair.a, pair.b)) <= 600


def test_a_changed_number_leaves_most_of_the_other_words(written: list[AnswerPair]) -> None:
    near = [pair for pair in written if pair.kind == "number" and min(words(pair.a), words(pair.b)) >= 5]
    shared = [len({*pair.a.split()} & {*pair.b.split()}) for pair in near]
    assert sum(count >= 3 for count in shared) * 2 > len(near) >= 40


def test_openings_of_written_answers_hardly_repeat(written: list[AnswerPair]) -> None:
    texts = {text for pair in written for text in (pair.a, pair.b) if words(text) >= 3}
    openings = Counter(" ".join(text.split()[:3]) for text in texts)
    assert openings.most_common(1)[0][1] <= len(texts) / 50


def test_most_pairs_of_runs_are_samples_of_the_example_run(pairs: tuple[AnswerPair, ...]) -> None:
    with gzip.open(SAMPLES / "example.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file][1:]
    samples = {row["question"]: {sample["text"].strip() for sample in row["samples"]} for row in rows}
    drawn = [pair for pair in pairs if pair.source == "run"]
    assert {pair.question for pair in drawn} <= set(samples)
    assert sum({pair.a, pair.b} <= samples[pair.question] for pair in drawn) * 2 > len(drawn)


@pytest.mark.parametrize(
    ("source", "count", "agreement", "kappa"), [(None, 770, 0.990, 0.977), ("run", 314, 0.978, 0.923)]
)
def test_two_readers_agree_on_what_means_the_same(
    pairs: tuple[AnswerPair, ...], source: str | None, count: int, agreement: float, kappa: float
) -> None:
    from sklearn.metrics import accuracy_score, cohen_kappa_score

    twice = [pair for pair in pairs if pair.second is not None and source in (None, pair.source)]
    first, second = [pair.same for pair in twice], [pair.second for pair in twice]
    assert len(twice) == count
    assert accuracy_score(first, second) == pytest.approx(agreement, abs=5e-4)
    assert cohen_kappa_score(first, second) == pytest.approx(kappa, abs=5e-4)
