"""The names under which other tools keep answers, and how one name is told from another."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from homogaudit.questions.layouts import by_column, normalised

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
    "actualoutput",
    "outputs",
    "predictions",
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

MODELS = ("model", "model_name", "model_id", "llm", "engine")
"""Of the column that names who answered."""

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
    return by_column({name: name for name in values})


@dataclass(frozen=True, slots=True)
class NumberedColumn:
    """A column that holds one of several answers."""

    name: str
    stem: str
    number: int


def numbered_families(
    names: Iterable[str], is_known: Callable[[str], bool] = NUMBERED.__contains__
) -> list[list[NumberedColumn]]:
    """Return the columns whose names are a known stem and a number, a list a stem in the order of their numbers.

    `is_known` tells whether a stem, in normal form, stands before the numbers of answers.

    Returns:
        The stem with the most columns first: of `response_1` to `response_5` and `run_1` it holds the answers.
    """
    families: dict[str, list[NumberedColumn]] = {}
    for name in names:
        match = _NUMBERED.fullmatch(name.strip())
        if match is not None and is_known(stem := normalised(match[1])):
            families.setdefault(stem, []).append(NumberedColumn(name, stem, int(match[2])))
    for columns in families.values():
        columns.sort(key=lambda column: column.number)
    return sorted(families.values(), key=len, reverse=True)


def ends_like_answers(stem: str) -> bool:
    """Whether a stem says whose or which answers it numbers, such as `gpt4_response` or `temperature_0.7_sample`."""
    words = re.split(r"[^a-z0-9]+", stem)
    return len(words) > 1 and words[-1] in NUMBERED
