"""Draws without their texts: each answer is called after its cluster, so that rates stay and words do not.

It knows no file and no clustering of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from homogaudit.records import Generation, Question, SampleSet

_GREEDY = "greedy"
"""A greedy answer that no sample says too; it is in no cluster."""


def without_texts(draws: SampleSet, assignment: Sequence[int] | None) -> SampleSet:
    """Return draws whose questions, answers, references and token ids are gone; ids, categories and numbers stay.

    Args:
        draws: Of one question.
        assignment: The cluster of each valid sample; `None` where there is none, and each text is then its own.
    """
    valid = [sample.answer for sample in draws.valid_samples]
    if assignment is None:
        places = {text: place for place, text in enumerate(dict.fromkeys(valid))}
        assignment = [places[text] for text in valid]
    named = [f"cluster-{number + 1}" for number in assignment]
    by_text = dict(zip(valid, named, strict=True))
    remaining = iter(named)
    greedy = draws.greedy
    return SampleSet(
        Question(draws.question.id, f"question {draws.question.id}", draws.question.category),
        None if greedy is None else _called(greedy, by_text.get(greedy.answer, _GREEDY)),
        [_called(sample, next(remaining) if sample.is_valid else "") for sample in draws.samples],
    )


def _called(generation: Generation, name: str) -> Generation:
    name = name if generation.is_valid else ""
    return replace(generation, text=name, answer=name, statistics=replace(generation.statistics, token_ids=None))


def prompting_without_texts(prompting: Mapping[str, Any]) -> dict[str, Any]:
    """Return how a model was asked without the words it was asked with."""
    return {key: value for key, value in prompting.items() if key in ("mode", "thinking")}
