"""Question files: read one, leave out duplicates, choose categories, shuffle, limit.

Knows neither models nor prompts. A question file is somebody else's: whatever is wrong with it is one error line that
names the line of the file.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from homogaudit.errors import QuestionFileError, UsageError
from homogaudit.questions.earlier import read_earlier
from homogaudit.questions.formats import RawFile, read_file
from homogaudit.questions.layouts import Columns
from homogaudit.questions.reading import Asking, LocatedQuestion, Reading, read_questions
from homogaudit.questions.scripts import has_no_word_spaces
from homogaudit.questions.wording import listed, quoted, with_nearest
from homogaudit.records import Question, collapse, random_rank


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A question left out because an earlier one asks the same.

    Attributes:
        id: Of the question that was left out.
        first_line: Where the question that stays began.
        line: Where the one that was left out began.
    """

    id: str
    first_line: int
    line: int
    differs: bool = False


@dataclass(frozen=True, slots=True)
class QuestionFile:
    """The questions chosen from one file, in the order to ask them.

    Attributes:
        name: The file's name, or `stdin`.
        layout: `truthfulqa`, `gsm8k`, `webquestions`, `hotpotqa`, `homogaudit` (the project's own), `generic` or
            `text`.
        earlier: The questions that version 0.1.0 chose by the same parameters; empty where it refused the file.
        cut: That only the first ones in the file's own order are asked, in words; empty where all are, or drawn ones.
    """

    name: str
    layout: str
    questions: tuple[Question, ...]
    duplicates: tuple[Duplicate, ...]
    warnings: tuple[str, ...]
    earlier: tuple[Question, ...] = ()
    cut: str = ""


def load_questions(
    source: str | Path,
    *,
    columns: Columns | None = None,
    limit: int | None = None,
    shuffle: int | None = None,
    categories: Sequence[str] = (),
    asking: Asking | None = None,
    stdin: BinaryIO | None = None,
) -> QuestionFile:
    """Read a question file in any of the known formats and layouts.

    JSON Lines, JSON, YAML, CSV, TSV, plain text, Parquet, Arrow and Excel workbooks, compressed or not.

    The categories are chosen first, then the questions are shuffled, then limited.

    Args:
        source: The file, or `-` for standard input.
        columns: Names of columns where the usual ones do not do.
        limit: How many questions at most.
        shuffle: Seed of the order; `None` keeps that of the file. The order depends on seed and ids alone.
        categories: The categories to keep, without regard to case; none keeps all.
        asking: What of a record is asked beside its question; by default its context, and no choices.
        stdin: What `-` reads; the process's own by default.

    Raises:
        QuestionFileError: The file cannot be read, is broken, or holds no such questions.
        UsageError: `limit` is below 1.
    """
    if limit is not None and limit < 1:
        raise UsageError(f"a limit of {quoted(limit)} leaves no questions", "`--limit` must be 1 or more")
    columns = columns or Columns()
    if str(source) == "-":
        name = "stdin"
        data = (stdin or sys.stdin.buffer).read()
    else:
        path = Path(source)
        name = path.name
        data = _read(path)
    raw = read_file(data, name, columns)
    reading = _questions(raw, columns, asking or Asking(), name)
    kept, duplicates = _without_duplicates(reading.located, name)

    def ordered(questions: list[Question]) -> list[Question]:
        found = _of_categories(questions, categories, name)
        return found if shuffle is None else in_random_order(found, shuffle)

    found = ordered([item.question for item in kept])
    questions = found[:limit]
    is_cut = shuffle is None and len(questions) < len(found)
    cut = f"the first {len(questions):,} of {len(found):,} questions of the file are asked" if is_cut else ""
    warnings = [*raw.notes, *reading.notes, *_warnings(raw, questions, duplicates)]
    earlier = _earlier(raw, columns, ordered)[:limit]
    return QuestionFile(name, reading.layout, tuple(questions), tuple(duplicates), tuple(warnings), earlier, cut)


def in_random_order(questions: Sequence[Question], seed: int) -> list[Question]:
    """Return the questions in an order that depends on the seed and on their ids alone."""
    return sorted(questions, key=lambda question: random_rank(seed, question.id))


def _earlier(
    raw: RawFile, columns: Columns, chosen: Callable[[list[Question]], list[Question]]
) -> tuple[Question, ...]:
    """Return what version 0.1.0 chose of the file, empty where it could not read it."""
    found = None if raw.format == "binary" else read_earlier(raw.lines or raw.records, columns)
    if found is None:
        return ()
    unique = {collapse(question.text): question for question in reversed(found)}
    # The first of equal texts stays, in its place.
    first = [question for question in found if unique[collapse(question.text)] is question]
    try:
        return tuple(chosen(first))
    except QuestionFileError:
        return ()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        folder = path.parent
        names = [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
        raise QuestionFileError(
            f"no question file {quoted(path, limit=200)}", with_nearest(path.name, names, "check the path")
        ) from None
    except IsADirectoryError:
        raise QuestionFileError(f"{quoted(path, limit=200)} is a folder", "name a file in it") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise QuestionFileError(
            f"cannot read {quoted(path, limit=200)}: {reason.lower()}", "check the path and its permissions"
        ) from None


def _questions(raw: RawFile, columns: Columns, asking: Asking, name: str) -> Reading:
    if not raw.records:
        raise QuestionFileError(f"{quoted(name)} holds no questions", "give at least one question")
    if raw.format != "text":
        return read_questions(raw.records, raw.columns, columns, asking, is_table=raw.is_table, file=name)
    if columns != Columns():
        raise QuestionFileError(
            f"{quoted(name)} is plain text and has no columns",
            "name columns of CSV, TSV, JSON or JSON Lines only",
        )
    reading = read_questions(raw.records, raw.columns, columns, asking, is_table=False, file=name)
    return Reading("text", reading.located, reading.notes)


def _without_duplicates(located: Sequence[LocatedQuestion], name: str) -> tuple[list[LocatedQuestion], list[Duplicate]]:
    """Return the questions without those asked before, and those."""
    by_id: dict[str, LocatedQuestion] = {}
    by_prompt: dict[tuple[str, str], LocatedQuestion] = {}
    duplicates: list[Duplicate] = []
    for item in located:
        prompt = (collapse(item.question.asked), collapse(item.question.system or ""))
        same_id = by_id.get(item.question.id)
        if same_id is not None and by_prompt.get(prompt) is not same_id:
            raise QuestionFileError(
                f"{quoted(name)} lines {same_id.line} and {item.line} have the id {quoted(item.question.id)} "
                "but different questions",
                "give each question an id of its own, or leave the ids out",
            )
        if (first := by_prompt.get(prompt)) is not None:
            differs = _references(first.question) != _references(item.question)
            duplicates.append(Duplicate(item.question.id, first.line, item.line, differs))
            continue
        by_prompt[prompt] = item
        by_id[item.question.id] = item
    return list(by_prompt.values()), duplicates


def _references(question: Question) -> tuple[frozenset[str], frozenset[str]]:
    return frozenset(question.answers), frozenset(question.incorrect_answers)


def _of_categories(questions: list[Question], categories: Sequence[str], name: str) -> list[Question]:
    """Return the questions of the categories; a category that the file does not have is an error."""
    if not categories:
        return questions
    present = {question.category.casefold(): question.category for question in questions if question.category}
    wanted = [category.strip().casefold() for category in categories]
    for category in wanted:
        if category not in present:
            have = f"its categories: {listed(sorted(present.values()), limit=50)}"
            raise QuestionFileError(
                f"{quoted(name)} has no questions of category {quoted(category)}",
                with_nearest(category, present.values(), have) if present else "the file has no categories at all",
            )
    return [question for question in questions if (question.category or "").casefold() in wanted]


def _warnings(raw: RawFile, questions: Sequence[Question], duplicates: Sequence[Duplicate]) -> list[str]:
    warnings: list[str] = []
    if duplicates:
        first = duplicates[0]
        warnings.append(
            f"{len(duplicates)} duplicate question{'s' if len(duplicates) > 1 else ''} left out, the first at line "
            f"{first.line} (first asked at line {first.first_line})"
        )
    if others := [each for each in duplicates if each.differs]:
        has = "has" if len(others) == 1 else "have"
        warnings.append(
            f"{len(others)} of the duplicates {has} other choices or references, which are left out with them, the "
            f"first at line {others[0].line}: choices make questions of their own with `--with-choices`"
        )
    if {"greedy", "samples"} & set(raw.columns):
        warnings.append("the recorded answers of the file are not used; `homogaudit import` reads them")
    unanswered = sum(not question.answers for question in questions)
    if 0 < unanswered < len(questions):
        warnings.append(f"no reference answer for {unanswered} of {len(questions)} questions: they get no label")
    unspaced = sum(has_no_word_spaces([question.text]) for question in questions)
    if unspaced:
        warnings.append(
            f"{unspaced} of {len(questions)} questions are in a script without spaces between words: word bigrams "
            "(`jaccard`) and word overlap (`overlap`) mean little for them"
        )
    return warnings
