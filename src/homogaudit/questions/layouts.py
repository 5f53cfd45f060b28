"""Which column of a question file is which: by the user's word, by its usual names, in which known layout.

Knows the names of columns and the layouts that they show; what the values mean is `reading`'s business.
"""

import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from homogaudit.errors import QuestionFileError
from homogaudit.questions.raw_records import RawRecord
from homogaudit.questions.wording import listed, quoted, with_nearest

ALIASES: Mapping[str, tuple[str, ...]] = {
    "question": (
        "question",
        "prompt",
        "query",
        "problem",
        "instruction",
        "input",
        "utterance",
        "question_text",
        "question_stem",
        "text",
        "turns",
        "conversations",
        "conversation",
        "messages",
        "conversation_a",
        "goal",
        "ctx",
        "sentence",
        "startphrase",
        "questions",
        "user_prompt",
        "user_input",
    ),
    "id": ("id", "_id", "question_id", "qid", "questionid", "custom_id"),
    "category": ("category", "topic", "subject"),
    "answers": (
        "answers",
        "correct_answers",
        "possible_answers",
        "answer_number",
        # Beside one of these, an `answer` is what some model said.
        "ground_truth",
        "ground_truths",
        "expected_answer",
        "reference_answer",
        "reference_answers",
        "golden_answers",
        "gold_answers",
        "gold_answer",
        "answer",
        "correct_answer",
        "right_answer",
        "final_decision",
        "answers_spans",
        "targetvalue",
        "target",
        "targets",
        "gold",
        "ideal",
        "best_answer",
        "reference",
        "references",
        "expected_output",
        "expectedoutput",
        "expected",
        "output",
        "response",
        "completion",
    ),
    "incorrect_answers": (
        "incorrect_answers",
        "wrong_answers",
        "distractors",
        "incorrect_answer",
        "wrong_answer",
        "hallucinated_answer",
    ),
    "system": ("system", "system_prompt", "system_message"),
}
"""The names that a field goes by, the surest first."""

_FAMILIES: Mapping[str, re.Pattern[str]] = {
    "answers": re.compile(r"(?:correct_)?(?:answer|reference)s?_?([0-9]{1,2})"),
    "incorrect_answers": re.compile(r"(?:incorrect|wrong|distractor)(?:_?answers?)?_?([0-9]{1,2})"),
}
"""Columns that hold one answer each."""

FINAL_ANSWER = re.compile(r"####[ \t]*(\S[^\n]*)")
"""How GSM8K marks the number at the end of a worked solution."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Names of columns given by the user; `None` leaves a field to its usual names."""

    question: str | None = None
    id: str | None = None
    category: str | None = None
    answers: str | None = None
    incorrect_answers: str | None = None
    context: str | None = None


@functools.cache
def normalised(name: str) -> str:
    """Return a column's name without case, with `_` for spaces and hyphens."""
    return re.sub(r"[\s\-]+", "_", name.strip()).casefold()


def by_column(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a record by normalised column; of two names that become one the first stays."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        found.setdefault(normalised(name), value)
    return found


def has_question_column(names: Iterable[str], columns: Columns) -> bool:
    """Whether one of `names` is the question's column, by the user's word or by its usual names."""
    accepted = ALIASES["question"] if columns.question is None else (normalised(columns.question),)
    return any(normalised(name) in accepted for name in names)


def read_columns(names: Sequence[str], columns: Columns, file: str) -> dict[str, str]:
    """Return which normalised column holds which field of a question.

    Raises:
        QuestionFileError: A named column is missing, or no column holds questions.
    """
    present = {normalised(name) for name in names}
    found: dict[str, str] = {}
    for field in fields(columns):
        wanted: str | None = getattr(columns, field.name)
        if wanted is not None and normalised(wanted) not in present:
            raise QuestionFileError(
                f"{quoted(file)} has no column {quoted(wanted)}",
                with_nearest(wanted, names, f"its columns: {listed(names)}"),
            )
        if wanted is not None:
            found[field.name] = normalised(wanted)
    for field, usual in ALIASES.items():
        taken = found.values()
        match = next((name for name in usual if name in present and name not in taken), None)
        if field not in found and match is not None:
            found[field] = match
    if "question" not in found:
        raise QuestionFileError(
            f"{quoted(file)} has no question column: its columns are {listed(names)}",
            "name the column with `--question-column NAME`",
        )
    return found


def family_of(field: str, names: Iterable[str]) -> tuple[str, ...]:
    """Return the normalised columns that hold one answer each of a field, in the order of their numbers."""
    matches = [(int(match[1]), name) for name in names if (match := _FAMILIES[field].fullmatch(name))]
    return tuple(name for _, name in sorted(matches)) if len(matches) > 1 else ()


def recognise_layout(records: Sequence[RawRecord], mapping: Mapping[str, str], tabular: bool) -> str:
    """Return the layout that the columns show.

    Returns:
        `truthfulqa`, `gsm8k`, `webquestions`, `hotpotqa`, `homogaudit` (the project's own) or `generic`.
    """
    names = {normalised(name) for record in records for name in record.values}
    first: dict[str, Any] = {normalised(name): value for name, value in records[0].values.items()}
    if {"question", "correct_answers", "incorrect_answers"} <= names:
        return "truthfulqa"
    worked = first.get(mapping.get("answers", ""))
    if isinstance(worked, str) and FINAL_ANSWER.search(worked):
        return "gsm8k"
    if {"question", "answer", "context"} <= names and isinstance(first.get("context"), list | dict):
        return "hotpotqa"
    if not tabular and {"question", "answers"} <= names <= {"question", "answers", "qi", "url"}:
        return "webquestions"
    if "question" in names and names & {"answers", "incorrect_answers"}:
        return "homogaudit"
    return "generic"
