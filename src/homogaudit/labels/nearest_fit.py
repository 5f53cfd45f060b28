"""Fits the `nearest` judge on answers that were labelled by hand, and writes its weights.

    python -m homogaudit.labels.nearest_fit EMBEDDER ANSWERS.jsonl...

A line of ANSWERS holds `question`, `answers`, `incorrect_answers`, `answer` and `label`. Answers to one question are
never both fitted and tested. The margin is the smallest at which at most one in ten labels is wrong on questions that
were left out.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from homogaudit.labels.nearest import Embed, NearestWeights, Side, compare, side_of
from homogaudit.records import Question

_WRONG = 0.10
_FOLDS = 10
_PENALTY = 0.1
_REFERENCE_WEIGHT = 0.02
"""A reference judged against the others of its question tells which words matter, but is written more plainly than what
models answer."""


@dataclass(frozen=True, slots=True)
class LabelledAnswer:
    """An answer with its label by hand."""

    question: Question
    answer: str
    is_correct: bool


def fit_nearest(answers: Sequence[LabelledAnswer], embed: Embed) -> NearestWeights:
    """Fit weights on all answers, and the margin on what each tenth of the questions gets from the others.

    A logistic regression without intercept on the differences between the sides: how many answers are correct must not
    sway the judge. Both labels weigh the same.

    Args:
        answers: Correct and incorrect ones.
        embed: The embedder.
    """
    from sklearn.model_selection import GroupKFold

    rows = np.array([np.subtract(*map(astuple, compare(x.question, x.answer, embed))) for x in answers])
    labels = np.array([x.is_correct for x in answers])
    groups = np.array([x.question.id for x in answers])
    questions = {x.question.id: x.question for x in answers}
    references = {name: _of_references(question, embed) for name, question in questions.items()}
    held_out = np.zeros(len(answers))
    for train, test in GroupKFold(min(_FOLDS, len(questions))).split(rows, labels, groups):
        kept = [references[name] for name in questions if name not in set(groups[test])]
        held_out[test] = rows[test] @ _weights(rows[train], labels[train], kept)
    weights = _weights(rows, labels, list(references.values()))
    return NearestWeights(Side(*(round(float(x), 3) for x in weights)), margin_for(held_out, labels))


def margin_for(sums: NDArray[np.float64], labels: NDArray[np.bool_]) -> float:
    """Return the smallest margin at which at most a tenth of the labels that are given is wrong.

    Args:
        sums: Held-out sums, positive for correct.
        labels: Whether the answer is correct.
    """
    order = np.argsort(-np.abs(sums), kind="stable")
    wrong = np.cumsum((sums > 0)[order] != labels[order])
    allowed = np.flatnonzero(wrong <= _WRONG * np.arange(1, len(sums) + 1))
    last = allowed[-1] if allowed.size else 0
    return float(np.floor(1000 * abs(sums[order[last]])) / 1000)


def _weights(
    rows: NDArray[np.float64], labels: NDArray[np.bool_], references: Sequence[NDArray[np.float64]]
) -> NDArray[np.float64]:
    from sklearn.linear_model import LogisticRegression

    scale = rows.std(0) + 1e-9
    of_references = np.concatenate(references) / scale
    both = np.concatenate([rows / scale, of_references, -of_references])
    truth = np.concatenate([labels, np.ones(len(of_references), bool), np.zeros(len(of_references), bool)])
    rare = np.where(labels, (~labels).sum() / max(1, labels.sum()), 1.0)
    weight = np.concatenate([rare, np.full(2 * len(of_references), _REFERENCE_WEIGHT / 2)])
    fit = LogisticRegression(C=_PENALTY, fit_intercept=False, max_iter=3000).fit(both, truth, sample_weight=weight)
    return fit.coef_[0] / scale


def _of_references(question: Question, embed: Embed) -> NDArray[np.float64]:
    """Return the differences of each reference to the others of its side, less that to the other side."""
    sides = (question.answers, question.incorrect_answers)
    rows: list[NDArray[np.float64]] = []
    for own, other in (sides, sides[::-1]):
        for place, text in enumerate(own):
            rest = own[:place] + own[place + 1 :]
            # As many on either side: the best of more is better.
            others = other[: len(rest)]
            if not rest or not others:
                continue
            vectors = embed([text, *rest, *others])
            cosines = vectors[1:] @ vectors[0]
            one = side_of(question.text, text, rest, others, cosines[: len(rest)])
            two = side_of(question.text, text, others, rest, cosines[len(rest) :])
            rows.append(np.subtract(astuple(one), astuple(two)))
    return np.array(rows).reshape(-1, len(fields(Side)))


def _read(path: Path) -> list[LabelledAnswer]:
    rows = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return [
        LabelledAnswer(
            Question(x["question"], x["question"], None, tuple(x["answers"]), tuple(x["incorrect_answers"])),
            x["answer"],
            x["label"] == "correct",
        )
        for x in rows
        if x["label"] in ("correct", "incorrect")
    ]


def main() -> None:
    """Print the entry of an embedder for `nearest.toml`."""
    from homogaudit.clustering.load_embedder import load_embedder
    from homogaudit.config import load_models
    from homogaudit.config.resolve import resolve_embedder
    from homogaudit.events import JobEmbedder

    name, *paths = sys.argv[1:]
    resolved = resolve_embedder(name, load_models())
    embedder = load_embedder(JobEmbedder(resolved.name, resolved.name, resolved.location), ())
    answers = [answer for path in paths for answer in _read(Path(path))]
    texts = list(
        dict.fromkeys(t for x in answers for t in (x.answer, *x.question.answers, *x.question.incorrect_answers))
    )
    rows = dict(zip(texts, embedder.embed(texts), strict=True))
    fitted = fit_nearest(answers, lambda wanted: np.stack([rows[text] for text in wanted]))
    print(f"[{resolved.name}]\nmargin = {fitted.margin}\n\n[{resolved.name}.weights]")
    for field in fields(Side):
        print(f"{field.name} = {getattr(fitted.weights, field.name)}")


if __name__ == "__main__":
    main()
