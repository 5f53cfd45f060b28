"""The names under which other tools keep answers, and how one name is told from another."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from homogaudit.questions.layouts import normalised

__all__ = [
    "ANSWER_LISTS",
    "ANSWER_TEXTS",
    "DRAW_NUMBERS",
    "NUMBERED",
    "NumberedColumn",
    "by_normal_name",
    "numbered_columns",
]

ANSWER_LISTS = (
    "samples",
    "responses",
    "generations",
    "sampled_responses",
    "completions",
    "sampled_answers",
    "sampled_generations",
    "sampled_outputs",
    "sampled_texts",
    "sample_answers",
    "sample_responses",
    "samples_text",
    "answers_sampled",
    "stochastic_samples",
    "stochastic_responses",
    "generated_answers",
    "generated_responses",
    "generated_texts",
    "model_answers",
    "model_responses",
    "model_outputs",
    "llm_answers",
    "llm_responses",
    "llm_outputs",
    "outputs",
    "predictions",
    "candidates",
    "replies",
    "rollouts",
)
"""Of a list of sampled answers, the surest first. `answers` is not among them: it holds references."""

ANSWER_TEXTS = (
    "greedy",
    "greedy_answer",
    "greedy_response",
    "greedy_output",
    "answer_greedy",
    "most_likely_answer",
    "most_likely_response",
    "most_likely_generation",
    "low_temperature_answer",
    "main_answer",
    "main_response",
    "original_response",
    "response",
    "prediction",
    "predicted_answer",
    "pred",
    "model_answer",
    "model_response",
    "model_output",
    "llm_answer",
    "llm_response",
    "llm_output",
    "generated_answer",
    "generated_response",
    "generated_text",
    "generation",
    "completion",
    "actual_output",
    "output",
    "reply",
    "sample",
    "candidate",
)
"""Of one answer, the surest first."""

NUMBERED = frozenset(
    [
        *(name.removesuffix("s") for name in ANSWER_LISTS),
        *(name.removesuffix("s") for name in ANSWER_TEXTS if name != "pred"),
        *ANSWER_LISTS,
        "sampled_response",
        "draw",
        "run",
        "trial",
        "attempt",
    ]
)
"""Before the number of a column that holds one of several answers, such as `response_1`."""

DRAW_NUMBERS = (
    "sample_index",
    "sample_idx",
    "sample_id",
    "sample_number",
    "sample_num",
    "sample_no",
    "sample",
    "response_index",
    "response_idx",
    "response_id",
    "generation_index",
    "generation_id",
    "completion_index",
    "completion_id",
    "draw",
    "epoch",
    "repeat",
    "repetition",
    "rep",
    "trial",
    "attempt",
    "iteration",
    "iter",
    "run",
    "run_id",
    "seed",
)
"""Of the column that tells the answers to one question apart."""

_NUMBERED = re.compile(r"(.*?[^\d\s_.\-/\[#])[\s_.\-/\[#]*(\d{1,6})\]?")


def by_normal_name(values: Mapping[str, Any]) -> dict[str, str]:
    """Return the names of a record by their normal form, the first of each."""
    found: dict[str, str] = {}
    for name in values:
        found.setdefault(normalised(name), name)
    return found


@dataclass(frozen=True, slots=True)
class NumberedColumn:
    """A column that holds one of several answers."""

    name: str
    stem: str
    number: int


def numbered_columns(names: Iterable[str], stems: frozenset[str] = NUMBERED) -> list[NumberedColumn]:
    """Return the columns whose names are a known stem and a number, in the order of their numbers.

    Args:
        names: As the file writes them.
        stems: The known ones, in normal form.
    """
    found: list[NumberedColumn] = []
    for name in names:
        match = _NUMBERED.fullmatch(name.strip())
        if match is not None and (stem := normalised(match[1])) in stems:
            found.append(NumberedColumn(name, stem, int(match[2])))
    found.sort(key=lambda column: column.number)
    # Two families, such as `response_1` and `run_1`: the one with more columns holds the answers.
    counts: dict[str, int] = {}
    for column in found:
        counts[column.stem] = counts.get(column.stem, 0) + 1
    most = max(counts, key=lambda stem: counts[stem], default="")
    return [column for column in found if column.stem == most]
