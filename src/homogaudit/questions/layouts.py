"""From the columns of a question file to `Question` records: which column is which, in which known layout.

Knows nothing of files and formats: it gets records with the line that each began at.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, cast

from homogaudit.errors import QuestionFileError
from homogaudit.questions.wording import listed, quoted, with_nearest
from homogaudit.records import Question, make_question_id

__all__ = [
    "Columns",
    "LocatedQuestion",
    "RawRecord",
    "has_question_column",
    "kind_of",
    "read_columns",
    "recognise_layout",
    "to_questions",
]

_ALIASES: Mapping[str, tuple[str, ...]] = {
    "question": ("question", "prompt", "text", "query", "problem", "input", "utterance", "instruction"),
    "id": ("id", "_id", "question_id", "qid"),
    "category": ("category", "topic", "subject"),
    "answers": ("answers", "correct_answers", "answer", "reference_answers", "target", "gold"),
    "incorrect_answers": ("incorrect_answers", "wrong_answers", "distractors"),
}
"""The names that a field goes by, the surest first."""

_RECORDED_KEYS = frozenset({"greedy", "samples", "label", "signals"})
"""What a recorded file says of another model's answers: none of it holds for the answers of this run."""

_FINAL_ANSWER = re.compile(r"####[ \t]*(\S[^\n]*)")


@dataclass(frozen=True, slots=True)
class Columns:
    """Names of columns given by the user; `None` leaves a field to its usual names."""

    question: str | None = None
    id: str | None = None
    category: str | None = None
    answers: str | None = None
    incorrect_answers: str | None = None


@dataclass(frozen=True, slots=True)
class RawRecord:
    """One record of a file as it was read, and the line where it began (from 1)."""

    line: int
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LocatedQuestion:
    """A question and the line of the file where it began (from 1)."""

    line: int
    question: Question


def _normalise(name: str) -> str:
    """Return a column's name without case, with `_` for spaces and hyphens."""
    return re.sub(r"[\s\-]+", "_", name.strip()).casefold()


def kind_of(value: object) -> str:
    """Return the JSON name of a value's type, for error lines."""
    kinds: tuple[tuple[type | tuple[type, ...], str], ...] = (
        (bool, "a truth value"),
        ((int, float), "a number"),
        (str, "a text"),
        (list, "a list"),
        (dict, "an object"),
    )
    return next((name for kind, name in kinds if isinstance(value, kind)), "null")


def has_question_column(names: Iterable[str], columns: Columns) -> bool:
    """Whether one of `names` is the question's column, by the user's word or by its usual names."""
    accepted = _ALIASES["question"] if columns.question is None else (_normalise(columns.question),)
    return any(_normalise(name) in accepted for name in names)


def read_columns(names: Sequence[str], columns: Columns, file: str) -> dict[str, str]:
    """Return which normalised column holds which field of a question.

    Args:
        names: Every column of the file, as the file writes them.
        columns: What the user named.
        file: The file's name in error lines.

    Raises:
        QuestionFileError: A named column is missing, or no column holds questions.
    """
    present = {_normalise(name) for name in names}
    found: dict[str, str] = {}
    for field in fields(columns):
        wanted: str | None = getattr(columns, field.name)
        if wanted is not None and _normalise(wanted) not in present:
            raise QuestionFileError(
                f"{quoted(file)} has no column {quoted(wanted)}",
                with_nearest(wanted, names, f"its columns: {listed(names)}"),
            )
        usual = (_normalise(wanted),) if wanted is not None else _ALIASES[field.name]
        match = next((name for name in usual if name in present), None)
        if match is not None:
            found[field.name] = match
    if "question" not in found:
        raise QuestionFileError(
            f"{quoted(file)} has no question column: its columns are {listed(names)}",
            "name the column with `--question-column NAME`",
        )
    return found


def recognise_layout(records: Sequence[RawRecord], mapping: Mapping[str, str], tabular: bool) -> str:
    """Return the layout that the columns show.

    Returns:
        `truthfulqa`, `gsm8k`, `webquestions`, `hotpotqa`, `homogaudit` (the project's own) or `generic`.
    """
    names = {_normalise(name) for record in records for name in record.values}
    first = {_normalise(name): value for name, value in records[0].values.items()}
    if {"question", "correct_answers", "incorrect_answers"} <= names:
        return "truthfulqa"
    worked = first.get(mapping.get("answers", ""))
    if isinstance(worked, str) and _FINAL_ANSWER.search(worked):
        return "gsm8k"
    if {"question", "answer", "context"} <= names and isinstance(first.get("context"), list | dict):
        return "hotpotqa"
    if not tabular and {"question", "answers"} <= names <= {"question", "answers", "qi", "url"}:
        return "webquestions"
    if "question" in names and names & {"answers", "incorrect_answers"}:
        return "homogaudit"
    return "generic"


def to_questions(
    records: Sequence[RawRecord], mapping: Mapping[str, str], layout: str, *, tabular: bool, file: str
) -> list[LocatedQuestion]:
    """Return the question of every record.

    Args:
        records: At least one.
        mapping: From `read_columns`.
        layout: From `recognise_layout`.
        tabular: Whether the values are cells of a table, where a list is written with `;`.
        file: The file's name in error lines.

    Raises:
        QuestionFileError: A record without question, or with a value of the wrong kind, named by its line.
    """
    names = {_normalise(name) for record in records for name in record.values}
    recorded = _RECORDED_KEYS if names & {"greedy", "samples"} else frozenset[str]()
    reader = _Reader(mapping, layout, tabular, recorded, file)
    return [LocatedQuestion(record.line, reader.read(record)) for record in records]


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads the records of one file."""

    mapping: Mapping[str, str]
    layout: str
    tabular: bool
    recorded: frozenset[str]
    file: str

    def read(self, record: RawRecord) -> Question:
        """Return the record's question."""
        where = f"{quoted(self.file)} line {record.line}"
        values: dict[str, Any] = {}
        for name, value in record.values.items():
            values.setdefault(_normalise(name), value)
        used = set(self.mapping.values()) | self.recorded | {"passages"}
        text = self._question(values, where)
        answers = self._answers("answers", values, where)
        incorrect = self._answers("incorrect_answers", values, where)
        passages = _texts(values.get("passages"), split=False, tabular=self.tabular, where=f"{where}: `passages`")
        category = _scalar(values.get(self.mapping.get("category", "")), "category", where)
        match self.layout:
            case "truthfulqa":
                used |= {"best_answer", "best_incorrect_answer"}
                if self.mapping["answers"] == "correct_answers":
                    answers = _unique([*self._best(values, "best_answer", where), *answers])
                if self.mapping["incorrect_answers"] == "incorrect_answers":
                    incorrect = _unique([*self._best(values, "best_incorrect_answer", where), *incorrect])
            case "gsm8k":
                # The worked solution stays in `extra`: it is not a reference answer that a judge may compare with.
                used.discard(self.mapping["answers"])
                final = _FINAL_ANSWER.findall(str(values.get(self.mapping["answers"], "")))
                answers = (final[-1].replace(",", "").strip(),) if final else ()
            case "hotpotqa":
                used.add("context")
                passages = _paragraphs(values.get("context"), where)
                if "category" not in self.mapping:
                    used.add("type")
                    category = _scalar(values.get("type"), "type", where)
            case _:
                pass
        return Question(
            id=_scalar(values.get(self.mapping.get("id", "")), "id", where) or make_question_id(text),
            text=text,
            category=category,
            answers=answers,
            incorrect_answers=incorrect,
            passages=passages,
            extra={name: value for name, value in record.values.items() if _normalise(name) not in used},
        )

    def _question(self, values: Mapping[str, Any], where: str) -> str:
        value = values.get(self.mapping["question"])
        if value is not None and not isinstance(value, str):
            raise QuestionFileError(
                f"{where}: {quoted(self.mapping['question'])} is {kind_of(value)}, not a text",
                "a question is one text; name its column with `--question-column NAME`",
            )
        text = (value or "").strip()
        if not text:
            raise QuestionFileError(
                f"{where} has no question: {quoted(self.mapping['question'])} is missing or empty",
                "give it a text, or remove the line",
            )
        return text

    def _answers(self, field: str, values: Mapping[str, Any], where: str) -> tuple[str, ...]:
        column = self.mapping.get(field)
        if column is None:
            return ()
        # A column called `answer` holds one answer, and that may have a semicolon in it.
        split = self.layout == "truthfulqa" or (self.tabular and column != "answer")
        return _texts(values.get(column), split=split, tabular=self.tabular, where=f"{where}: {quoted(column)}")

    def _best(self, values: Mapping[str, Any], column: str, where: str) -> tuple[str, ...]:
        return _texts(values.get(column), split=False, tabular=False, where=f"{where}: {quoted(column)}")


def _unique(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the texts stripped, without empty ones and repetitions, in their order."""
    return tuple(dict.fromkeys(text.strip() for text in texts if text.strip()))


def _scalar(value: object, column: str, where: str) -> str | None:
    """Return an id or a category as text, `None` where there is none."""
    if value is None:
        return None
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return str(value).strip() or None
    raise QuestionFileError(f"{where}: {quoted(column)} is {kind_of(value)}, not a text or a number", "give one value")


def _texts(value: object, *, split: bool, tabular: bool, where: str) -> tuple[str, ...]:
    """Return the texts of a cell or of a JSON value."""
    if isinstance(value, str) and tabular and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            pass
    if isinstance(value, str) and split:
        return _unique(value.split(";"))
    items = cast("list[object]", value) if isinstance(value, list) else [value]
    texts: list[str] = []
    for item in items:
        if isinstance(item, bool):
            texts.append(str(item).lower())
        elif isinstance(item, str | int | float):
            texts.append(str(item))
        elif item is not None:
            raise QuestionFileError(f"{where} holds {kind_of(item)}, not a text", "give a text or a list of texts")
    return _unique(texts)


def _paragraphs(context: object, where: str) -> tuple[str, ...]:
    """Return one `title: sentences` a paragraph, from HotpotQA's own form or from that of the Hugging Face hub."""
    pairs: Any = context
    try:
        if isinstance(context, dict):
            columns = cast("dict[str, list[Any]]", context)
            pairs = list(zip(columns["title"], columns["sentences"], strict=True))
        paragraphs = [(title, [sentence.strip() for sentence in sentences]) for title, sentences in pairs or ()]
        return tuple(f"{title}: {' '.join(sentences)}" for title, sentences in paragraphs)
    except (AttributeError, KeyError, TypeError, ValueError):
        raise QuestionFileError(
            f"{where}: `context` is not a list of [title, sentences]",
            "leave it out, or give it as HotpotQA does",
        ) from None
