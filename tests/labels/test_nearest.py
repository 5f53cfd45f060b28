import hashlib
import json
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from homogaudit.labels.judges import label
from homogaudit.labels.nearest import NearestWeights, Side, judge_nearest, side_of, weighted, weights_of
from homogaudit.labels.nearest_fit import LabelledAnswer, fit_nearest, margin_for
from homogaudit.records import GREEDY, Generation, GenerationState, LabelValue, Question
from homogaudit.store import RunFile

QUESTION = Question(
    "q",
    "What color is the sun?",
    None,
    ("The sun is white.", "No, it is not yellow."),
    ("Yes, the sun is yellow.", "It is 3 times orange."),
)
HAND = [
    json.loads(line) for line in (Path(__file__).parent / "hand_labels.jsonl").read_text(encoding="utf-8").splitlines()
]


def generation(text: str) -> Generation:
    return Generation("q", GREEDY, text, text, GenerationState.VALID)


def embed(texts: Sequence[str]) -> NDArray[np.float32]:
    """The unit vector of how often `white` and `yellow` are said, with a constant between them."""
    rows = np.array([(text.count("white"), 0.5, text.count("yellow")) for text in texts], np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_a_side_is_compared_by_what_both_say() -> None:
    side = side_of(
        QUESTION.text,
        "No, it is not yellow but white, 3 times.",
        QUESTION.answers,
        QUESTION.incorrect_answers,
        np.array([0.25, 0.75], np.float32),
    )
    assert side.cosine == 0.75
    # One of two references begins with no, none with yes.
    assert side.yes == 0.5
    # The answer denies something; one of two references does.
    assert side.denial == 0.5
    assert side.number == 0.0
    # New words: yellow, white, 3, time. Only the correct side has white; the incorrect one has yellow too.
    assert side.own == 0.25
    # With {white}: 1 of 4; with {yellow}: 1 of 4.
    assert side.new == 0.25


def test_the_weighted_differences_are_added() -> None:
    weights = Side(cosine=10.0, yes=1.0, denial=2.0, number=3.0, own=4.0, new=5.0)
    correct = Side(cosine=0.5, yes=1.0, denial=0.5, number=1.0, own=0.25, new=0.2)
    incorrect = Side(cosine=0.25, yes=-1.0, denial=0.5, number=0.0, own=0.0, new=0.4)
    # 10 x 0.25 + 1 x 2 + 2 x 0 + 3 x 1 + 4 x 0.25 - 5 x 0.2
    assert weighted(correct, incorrect, weights) == pytest.approx(7.5)
    assert weighted(incorrect, correct, weights) == pytest.approx(-7.5)


def test_a_sum_within_the_margin_gives_no_label() -> None:
    cosine_alone = Side(cosine=1.0, yes=0.0, denial=0.0, number=0.0, own=0.0, new=0.0)
    # To `The sun is white.` (1, 0.5, 0) the answer has the cosine 1, to `Yes, the sun is yellow.` (0, 0.5, 1)
    # 0.25 / 1.25 and to `It is 3 times orange.` (0, 0.5, 0) 0.25 / (0.5 x 1.118) = 0.447.
    for margin, expected in ((0.5, LabelValue.CORRECT), (0.6, LabelValue.NO_MATCH)):
        verdict = judge_nearest(QUESTION, generation("white"), embed, NearestWeights(cosine_alone, margin))
        assert verdict.value is expected
        assert verdict.reason.startswith("nearest: correct 1.00 against 0.45")


def test_there_is_nothing_to_compare_without_both_kinds_of_references() -> None:
    question = Question("q", "?", None, ("white",))
    weights = weights_of("all-minilm-l6-v2")
    assert weights is not None
    assert judge_nearest(question, generation("white"), embed, weights).value is LabelValue.NO_MATCH


def test_without_an_embedder_that_it_was_fitted_for_there_is_no_label() -> None:
    for found in (
        label(QUESTION, generation("white"), "nearest"),
        label(QUESTION, generation("w"), "nearest", embed, "x"),
    ):
        assert found.value is LabelValue.NO_MATCH
        assert "no embedder" in found.reason


def test_the_label_is_that_of_the_draw_that_was_judged() -> None:
    sample = Generation("q", 3, "white", "white", GenerationState.VALID)
    found = label(QUESTION, sample, "nearest", embed, "all-minilm-l6-v2")
    assert (found.sample_index, found.judge, found.value) == (3, "nearest", LabelValue.CORRECT)


def test_the_margin_is_the_smallest_at_which_a_tenth_of_the_labels_is_wrong() -> None:
    # In the order of their size: 9 right, 1 wrong (1 of 10), 1 wrong (2 of 11), 9 right (2 of 20), 1 wrong (3 of 21).
    signs = [1] * 9 + [-1, -1] + [1] * 9 + [-1]
    sums = np.array([sign * (21.0 - place) for place, sign in enumerate(signs)])
    assert margin_for(sums, np.ones(21, bool)) == 2.0
    assert margin_for(sums[:11], np.ones(11, bool)) == 12.0


def test_a_fit_finds_the_side_whatever_the_share_of_correct_answers() -> None:
    questions = [
        Question(f"q{n}", f"Is it {n}?", None, (f"white {n}", "it is white"), (f"yellow {n}", "it is yellow"))
        for n in range(12)
    ]
    answers = [LabelledAnswer(x, "white" if n % 4 == 0 else "yellow", n % 4 == 0) for n, x in enumerate(questions)]
    fitted = fit_nearest(answers, embed)
    assert fitted.weights.cosine > 0
    assert fitted.weights.own > 0
    judged = [judge_nearest(x.question, generation(x.answer), embed, fitted).value for x in answers]
    assert judged == [LabelValue.CORRECT if x.is_correct else LabelValue.INCORRECT for x in answers]


def test_the_labels_by_hand_are_150_and_more_and_quote_no_answer_to_a_question_of_others() -> None:
    assert len(HAND) >= 150
    for row in HAND:
        assert row["label"] in ("correct", "incorrect", "ambiguous")
        assert ("answer" in row) == row["id"].startswith("misc-")
        assert row.keys() <= {"model", "id", "answer", "sha256", "label"}


def test_of_truthfulqa_at_most_a_tenth_of_the_labels_is_otherwise_than_by_hand() -> None:
    """Needs a run of the model on the first 100 questions, temperature 0, named by HOMOGAUDIT_LABELLED_RUN."""
    named = os.environ.get("HOMOGAUDIT_LABELLED_RUN")
    if not named:
        pytest.skip("no run of TruthfulQA; name one in HOMOGAUDIT_LABELLED_RUN")
    from homogaudit.clustering.load_embedder import load_embedder
    from homogaudit.config import load_models
    from homogaudit.launch.embedder_choice import resolve_job_embedder

    job, reason = resolve_job_embedder("all-minilm-l6-v2", load_models(), wanted=True)
    if job is None:
        pytest.skip(reason)
    by_hash = {row["sha256"]: row["label"] for row in HAND if "sha256" in row}
    embedder = load_embedder(job, ())
    counts: Counter[str] = Counter()
    with RunFile.open(Path(named)) as run:
        for found in run.sample_sets(token_arrays=False, samples=False):
            assert found.greedy is not None
            by_hand = by_hash.get(hashlib.sha256(found.greedy.answer.encode()).hexdigest())
            if by_hand not in ("correct", "incorrect"):
                continue
            value = label(found.question, found.greedy, "nearest", embedder.embed, job.name).value
            counts["answers"] += 1
            counts["labelled"] += value in (LabelValue.CORRECT, LabelValue.INCORRECT)
            counts["wrong"] += value.value in ("correct", "incorrect") and value.value != by_hand
    assert counts["answers"] >= 60, "another model, or another version of it"
    assert counts["wrong"] <= 0.1 * counts["labelled"], counts
    assert counts["labelled"] >= 0.7 * counts["answers"], counts
