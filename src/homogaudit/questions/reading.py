"""From the records of a question file to questions: what is asked, with what, and which answers are right.

Knows what the values of a record mean; which column is which is `layouts`' business, and the file is `loaders`'.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from homogaudit.codec import kind_of
from homogaudit.errors import QuestionFileError, UsageError
from homogaudit.questions.choices import ChoiceReader, lettered_options, named_option
from homogaudit.questions.contexts import CONTEXT_COLUMNS, PASSAGE_COLUMNS, passages_of
from homogaudit.questions.conversations import first_messages, is_conversation, read_conversation
from homogaudit.questions.layouts import (
    ALIASES,
    FINAL_ANSWER,
    Columns,
    family_of,
    normalised,
    read_columns,
    recognise_layout,
)
from homogaudit.questions.opened_records import OpenedRecord
from homogaudit.questions.raw_records import RawRecord
from homogaudit.questions.references import decoded, last_boxed, read_references, unique_texts
from homogaudit.questions.unused_columns import unused_notes
from homogaudit.questions.wording import listed, quoted
from homogaudit.records import CHOICE_LETTERS, Question, make_question_id

_RECORDED_KEYS = frozenset({"greedy", "samples", "label", "signals"})
"""What a recorded file says of another model's answers: none of it holds for the answers of this run."""

_ALIAS_COLUMNS = ("answer_aliases", "aliases", "answer_alias")
"""Other ways to write the answer, in a column of their own (MuSiQue)."""

_REPLIES = frozenset({"output", "response", "completion"})
"""Columns that may hold the reference answer, or what some model said."""


@dataclass(frozen=True, slots=True)
class Asking:
    """What of a record is asked beside its question.

    Attributes:
        context: Whether a text that comes with a question stands before it.
        passages: Whether its passages stand before it, where no such text does.
        choices: Whether its choices stand below it, with letters.
    """

    context: bool = True
    passages: bool = False
    choices: bool = False


@dataclass(frozen=True, slots=True)
class LocatedQuestion:
    """A question and the line of the file where it began (from 1)."""

    line: int
    question: Question


@dataclass(frozen=True, slots=True)
class Reading:
    """The questions of a file.

    Attributes:
        layout: Its name, as `recognise_layout` tells it.
        notes: What was read otherwise than a user may expect, and what was left out, a line each.
    """

    layout: str
    located: tuple[LocatedQuestion, ...]
    notes: tuple[str, ...]


def read_questions(
    records: Sequence[RawRecord],
    names: Sequence[str],
    columns: Columns,
    asking: Asking,
    *,
    is_table: bool,
    file: str,
) -> Reading:
    """Return the question of every record.

    A question without an id of its own gets one of its text; where two texts are equal and come with different
    contexts or system prompts, one of text and context.

    `names` are all columns as the file writes them. In a table the values are cells, where a list is written with `;`.

    Raises:
        QuestionFileError: No column holds questions, or a record has none or a value of the wrong kind, named by its
            line.
        UsageError: Choices are to be asked, and the file has none.
    """
    shown = {normalised(name): name for name in reversed(names)}
    records, tree_notes = first_messages(records)
    prepared = [OpenedRecord(record, file) for record in records]
    present = dict.fromkeys(name for record in prepared for name in record.values)
    mapping = read_columns([shown.get(name, name) for name in present], columns, file)
    layout = recognise_layout(records, mapping, is_table)
    reader = _Reader(prepared, mapping, columns, layout, asking, is_table, shown)
    located = _with_ids([(record.line, reader.read(row)) for row, record in enumerate(prepared)])
    return Reading(layout, tuple(located), (*tree_notes, *reader.notes()))


class _Reader:
    """Reads the records of one file."""

    def __init__(
        self,
        records: Sequence[OpenedRecord],
        mapping: Mapping[str, str],
        columns: Columns,
        layout: str,
        asking: Asking,
        is_table: bool,
        shown: Mapping[str, str],
    ) -> None:
        self._records = records
        self._mapping = dict(mapping)
        self._layout = layout
        self._asking = asking
        self._is_table = is_table
        self._shown = shown
        names = {name for record in records for name in record.values}
        recorded = _RECORDED_KEYS if names & {"greedy", "samples"} else frozenset[str]()
        self._ignored = recorded & names
        self._is_named_context = columns.context is not None
        self._context = self._context_column(columns, names)
        taken = {self._mapping["question"], *([self._context] if self._context else []), *recorded}
        self._choices = ChoiceReader([(record.values, record.where) for record in records], columns.answers and
                                     mapping["answers"], taken)  # fmt: skip
        if asking.choices and not self._choices.columns and len(records) > 1:
            raise UsageError("the question file has no choices", "leave out `--with-choices`")
        self._families = {
            field: () if field in self._mapping else family_of(field, names - set(self._choices.columns))
            for field in ("answers", "incorrect_answers")
        }
        self._counts: dict[str, int] = {}
        self._others: set[str] = set()
        """Columns that stand in for a mapped one where a record lacks it."""

    def _context_column(self, columns: Columns, names: set[str]) -> str | None:
        """Return the column whose texts are asked with the questions, `None` where none is."""
        if columns.context is not None:
            return normalised(columns.context)
        used = set(self._mapping.values())
        for name in CONTEXT_COLUMNS:
            if name in names - used and any(_plain_text(record.values.get(name)) for record in self._records):
                return name
        return None

    def _count(self, what: str, number: int = 1) -> None:
        if number:
            self._counts[what] = self._counts.get(what, 0) + number

    def read(self, row: int) -> Question:
        """Return the question of a record; its id is empty where it has none of its own."""
        record = self._records[row]
        values, where = record.values, record.where
        used = {*self._mapping.values(), *self._ignored}
        text, system, reply = self._asked(values, where)
        if (line := _plain_text(values.get(self._mapping.get("system", "")))) is not None:
            system = f"{system}\n\n{line}" if system else line
            self._count("own system prompts")
        passages, used_passages = self._passages(values, where)
        used |= used_passages
        context = None
        if self._context is not None and (found := self._context_text(values, where)) is not None:
            used.add(self._context)
            if self._context not in PASSAGE_COLUMNS or not passages:
                passages = unique_texts([found, *passages])
            self._count("contexts")
            if self._asking.context:
                # The input of an instruction is its object, and stands below it.
                is_below = self._mapping["question"] == "instruction" and self._context == "input"
                text, context = (f"{text}\n\n{found}", None) if is_below else (text, found)
        if self._asking.passages and context is None and passages:
            context = "\n".join(passages)
            self._count("asked passages")
        answers, incorrect = self._references(row, record, used)
        if answers and len(options := lettered_options(text)) > 1:
            # A letter among options that the question itself lists: the reference is what stands there.
            letters = [named_option(answer, options) for answer in answers]
            if None not in letters:
                answers = unique_texts(text for letter, text in options.items() if letter in letters)
                incorrect = unique_texts(text for letter, text in options.items() if letter not in letters)
        self._count("references", len(answers))
        if not answers and reply:
            answers = (reply,)
            self._count("replies")
        category = _scalar(values.get(self._mapping.get("category", "")), "category", where)
        if self._layout == "hotpotqa" and "category" not in self._mapping:
            used.add("type")
            category = _scalar(values.get("type"), "type", where)
        choices = self._choices.of(row)
        is_asked = self._asking.choices and choices is not None and len(choices.texts) <= len(CHOICE_LETTERS)
        self._count("too many choices", self._asking.choices and choices is not None and not is_asked)
        return Question(
            id=_scalar(values.get(self._mapping.get("id", "")), "id", where) or "",
            text=text,
            category=category,
            answers=answers,
            incorrect_answers=incorrect,
            passages=passages,
            extra={name: value for name, value in record.given.items() if normalised(name) not in used},
            context=context,
            system=system,
            choices=choices.texts if choices is not None and is_asked else (),
        )

    def _asked(self, values: Mapping[str, Any], where: str) -> tuple[str, str | None, str]:
        """Return what is asked, its own system prompt, and the reply that follows in a conversation."""
        column = self._mapping["question"]
        value = values.get(column)
        name = quoted(self._shown.get(column, column))
        system: str | None = None
        reply = ""
        is_texts = isinstance(value, list) and all(isinstance(item, str) for item in cast("list[Any]", value))
        if value is not None and (not is_texts or column == "turns") and is_conversation(value):
            found = read_conversation(value, f"{where}: {name}")
            value, system, reply = found.text, found.system, found.reply
            self._count("conversations")
            self._count("own system prompts", system is not None)
            self._count("turns left out", found.left_out)
        if value is not None and not isinstance(value, str):
            raise QuestionFileError(
                f"{where}: {name} is {kind_of(value)}, not a text",
                "a question is one text; name its column with `--question-column NAME`",
            )
        text = (value or "").strip()
        if not text:
            raise QuestionFileError(
                f"{where} has no question: {name} is missing or empty", "give it a text, or remove the line"
            )
        return text, system, reply

    def _context_text(self, values: Mapping[str, Any], where: str) -> str | None:
        """Return the text that is asked with a question; of a list that the user named its paragraphs, one a line."""
        value = values.get(self._context or "")
        if self._is_named_context and value is not None and not isinstance(value, str):
            return "\n".join(passages_of(value, f"{where}: {quoted(self._context)}")) or None
        return _plain_text(value)

    def _passages(self, values: Mapping[str, Any], where: str) -> tuple[tuple[str, ...], set[str]]:
        """Return the passages of a record that are no context, and the columns that they come from."""
        for name in PASSAGE_COLUMNS:
            value = values.get(name)
            if value is None or name in self._mapping.values() or (name != "passages" and isinstance(value, str)
                                                                    and not self._is_list(value)):  # fmt: skip
                continue
            found = passages_of(value, f"{where}: {quoted(self._shown.get(name, name))}")
            if name != "passages" and found:
                self._count(f"passages {name}")
            return found, {name}
        return (), set()

    def _is_list(self, value: str) -> bool:
        """Whether a cell holds a list that a program wrote into it."""
        return self._is_table and isinstance(decoded(value, ""), list | dict)

    def _references(self, row: int, record: OpenedRecord, used: set[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the correct and the incorrect answers of a record; what they were read from is added to `used`."""
        values, where = record.values, record.where
        choices = self._choices.of(row)
        if choices is None and _is_words(values.get(self._choices.key or "")):
            # An open question among those with choices.
            used.add(self._choices.key or "")
            return read_references(values.get(self._choices.key or ""), where=where), ()
        if choices is not None and choices.right:
            used |= {*self._choices.columns, *([self._choices.key] if self._choices.key else [])}
            used |= {"mc1_targets", "mc2_targets"} if "mc1_targets" in self._choices.columns else set()
            return choices.answers, choices.incorrect_answers
        if self._choices.key is not None:
            # A record without a right choice has no reference: a place that is -1, or nothing.
            used |= {*self._choices.columns, self._choices.key}
            return (), ()
        if self._mapping["question"] == "turns" and isinstance(values.get(self._mapping.get("answers", "")), list):
            # A reference a turn, and the first turn is the one that is asked.
            column = self._mapping["answers"]
            values = {**values, column: cast("list[Any]", values[column])[:1]}
        answers = self._texts_of("answers", values, where)
        incorrect = self._texts_of("incorrect_answers", values, where)
        for field in ("answers", "incorrect_answers"):
            used |= set(self._families[field])
        column = self._mapping.get("answers")
        if answers and not choices:
            for name in _ALIAS_COLUMNS:
                if isinstance(values.get(name), list):
                    used.add(name)
                    answers = unique_texts([*answers, *read_references(values[name], where=where)])
        if self._layout == "truthfulqa":
            used |= {"best_answer", "best_incorrect_answer"}
            if column == "correct_answers":
                best = read_references(values.get("best_answer"), where=f"{where}: `best_answer`")
                answers = unique_texts([*best, *answers])
            if self._mapping["incorrect_answers"] == "incorrect_answers":
                best = read_references(values.get("best_incorrect_answer"), where=f"{where}: `best_incorrect_answer`")
                incorrect = unique_texts([*best, *incorrect])
        elif self._layout == "gsm8k" and column is not None:
            # The worked solution stays in `extra`: it is not a reference answer that a judge may compare with.
            used.discard(column)
            final = FINAL_ANSWER.findall(str(values.get(column, "")))
            answers = (final[-1].replace(",", "").strip(),) if final else ()
        elif not answers and isinstance(solution := record.values.get("solution"), str):
            boxed = last_boxed(solution)
            answers = () if boxed is None else (boxed,)
        if not incorrect and set(answers) in ({"yes"}, {"no"}) and isinstance(values.get(column or ""), bool):
            incorrect = ("no",) if answers == ("yes",) else ("yes",)
        if column in _REPLIES and answers:
            self._count("replies")
        return answers, incorrect

    def _texts_of(self, field: str, values: Mapping[str, Any], where: str) -> tuple[str, ...]:
        column = self._mapping.get(field)
        if column is not None and column not in values and column in ALIASES[field]:
            # Records of several layouts in one file.
            taken = {*self._mapping.values(), *self._choices.columns, *self._ignored}
            column = next((name for name in ALIASES[field] if name in values and name not in taken), column)
            self._others.add(column)
        if column is None:
            family = self._families[field]
            return unique_texts(text for name in family for text in read_references(values.get(name), where=where))
        # A column whose name is in the singular holds one answer, and that may have a semicolon in it.
        is_singular = column in ALIASES[field] and not column.endswith("s")
        is_split = self._layout == "truthfulqa" or (self._is_table and not is_singular)
        return read_references(
            values.get(column),
            split=is_split,
            in_cell=self._is_table,
            where=f"{where}: {quoted(self._shown.get(column, column))}",
        )

    def notes(self) -> Iterable[str]:
        """Return what the user should know of how the records were read, a line each."""
        counts = self._counts

        def named(column: str | None) -> str:
            return quoted(self._shown.get(column or "", column))

        if counts.get("conversations"):
            yield f"the first user turn of {named(self._mapping['question'])} is asked"
        if number := counts.get("turns left out"):
            yield f"{number} further turn{'s' if number > 1 else ''} of the conversations left out"
        if counts.get("own system prompts"):
            yield "questions have a system prompt of their own, which is put before that of the run"
        if counts.get("replies"):
            source = "the reply in the conversation" if counts.get("conversations") else named(self._mapping["answers"])
            yield f"{source} is taken as the reference answer"
        if counts.get("contexts"):
            asked = "is asked with each question (`--context hide` leaves it out)"
            yield f"{named(self._context)} " + (
                asked if self._asking.context else "is not asked; it is the passage for `grounding`"
            )
        for what in counts:
            if what.startswith("passages "):
                name = named(what.removeprefix("passages "))
                asked = "they are asked" if counts.get("asked passages") else "they are not asked"
                yield f"{name} holds lists of texts: {asked}, and are the passages for `grounding`"
        if self._choices.columns:
            yield from self._choice_notes()
        column = self._mapping.get("answers")
        if column and not self._choices.columns and not self._counts.get("references"):
            yield f"{named(column)} holds no reference answer for any question: none gets a label"
        used = {
            *self._mapping.values(),
            *self._ignored,
            *self._others,
            *self._choices.columns,
            *(["mc2_targets"] if "mc1_targets" in self._choices.columns else []),
            *(column for family in self._families.values() for column in family),
            *(["solution"] if "answers" not in self._mapping else []),
            *([self._choices.key] if self._choices.key else []),
            *([self._context] if self._context else []),
            *_ALIAS_COLUMNS,
            *PASSAGE_COLUMNS,
            *(["best_answer", "best_incorrect_answer"] if self._layout == "truthfulqa" else []),
        }
        yield from unused_notes([record.values for record in self._records], used, self._shown)

    def _choice_notes(self) -> Iterable[str]:
        names = listed((self._shown.get(name, name) for name in self._choices.columns), limit=5)
        verb = "holds" if len(self._choices.columns) == 1 else "hold"
        if self._choices.key is None and not any(
            choices.right for row in range(len(self._records)) if (choices := self._choices.of(row))
        ):
            yield f"{names} {verb} choices, but no column says which is right (name it with `--answers-column NAME`)"
        elif self._asking.choices:
            yield f"{names} {verb} the choices, which are asked with letters"
            if number := self._counts.get("too many choices"):
                yield (
                    f"{number} of {len(self._records)} questions have more choices than there are letters: they are "
                    "asked without them"
                )
        else:
            yield (
                f"{names} {verb} the choices: the right one is the reference, the others are incorrect answers "
                "(`--with-choices` asks them)"
            )
        if self._choices.note:
            yield self._choices.note


def _with_ids(found: Sequence[tuple[int, Question]]) -> list[LocatedQuestion]:
    """Return questions with an id each; where equal texts come with other contexts, the context is in it."""
    made = told_apart([(q.text, beside(q.context, q.system, q.choices)) for _, q in found])
    return [
        LocatedQuestion(line, replace(question, id=question.id or name))
        for (line, question), name in zip(found, made, strict=True)
    ]


def told_apart(asked: Sequence[tuple[str, str]]) -> list[str]:
    """Return an id for each text and what is asked beside it, which is in the id of texts that are equal."""
    told: dict[str, set[str]] = {}
    for text, others in asked:
        told.setdefault(make_question_id(text), set()).add(others)
    return [make_question_id(text, others if len(told[make_question_id(text)]) > 1 else "") for text, others in asked]


def beside(context: str | None, system: str | None, choices: Sequence[str]) -> str:
    """Return what tells a question from another of the same text: what is asked with it."""
    return "\0".join(part for part in (context, system, *choices) if part)


def _is_words(value: object) -> bool:
    """Whether a value is an answer in words, and no letter or place."""
    return isinstance(value, str) and len(value.strip()) > 2 and not value.strip().lstrip("-").isdecimal()


def _plain_text(value: object) -> str | None:
    return value.strip() or None if isinstance(value, str) else None


def _scalar(value: object, column: str, where: str) -> str | None:
    """Return an id or a category as text, `None` where there is none."""
    if value is None:
        return None
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return str(value).strip() or None
    raise QuestionFileError(f"{where}: {quoted(column)} is {kind_of(value)}, not a text or a number", "give one value")
