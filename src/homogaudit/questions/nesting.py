"""How data sets nest their records: in one list of an object, side by side, under articles, in the viewer's rows.

Knows JSON values, however they were written; what a record's columns mean is `layouts`' business.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from homogaudit.errors import QuestionFileError
from homogaudit.questions.layouts import Columns, has_question_column
from homogaudit.questions.wording import quoted

_UNDER = ("qas", "qa_pairs", "questions", "question_answer_pairs")
"""Where the questions about one text stand beside it (SQuAD, DROP)."""


_LISTS_OF_QUESTIONS = frozenset({"questions", "prompts", "queries", "problems", "instructions", "inputs"})
"""Keys of lists of texts that are asked, whatever else stands beside them."""

_REQUESTS = ("body", "params", "inputs", "input")
"""Where a request of a batch, or a traced example, holds what is asked."""


@dataclass(frozen=True, slots=True)
class FoundRecords:
    """The records in an object.

    Attributes:
        key: Of the list that holds them; `None` where `records` were put together from elsewhere.
        records: Empty where `key` says where they stand.
    """

    key: str | None
    records: tuple[Mapping[str, Any], ...] = ()
    notes: tuple[str, ...] = ()


def find_records(value: Mapping[str, Any], columns: Columns, file: str) -> FoundRecords:
    """Return the records that one object holds.

    Raises:
        QuestionFileError: It holds none, or several lists of them.
    """
    if (table := _split_table(value)) is not None:
        return FoundRecords(None, tuple(table))
    if (table := side_by_side(value, columns)) is not None:
        return FoundRecords(None, tuple(table))
    asked = value.get("questions")
    is_list = isinstance(asked, list) and not has_question_column(value.keys() - {"questions"}, columns)
    if not is_list and has_question_column(value, columns) and any(isinstance(item, str) for item in value.values()):
        return FoundRecords(None, (value,))
    lists = {key: cast("list[Any]", item) for key, item in value.items() if isinstance(item, list) and item}
    of_objects = [key for key, items in lists.items() if any(isinstance(item, dict) for item in items)]
    if len(of_objects) > 1:
        asking = [key for key in of_objects if any(_asks(item, columns) for item in lists[key])]
        of_objects = asking if len(asking) == 1 else of_objects
    if len(of_objects) == 1:
        held, total = len(lists[of_objects[0]]), value.get("num_rows_total")
        is_part = isinstance(total, int) and total > held
        notes = (f"the file holds {held} of the {total} rows of its data set",) if is_part else ()
        return FoundRecords(of_objects[0], notes=notes)
    of_texts = [key for key, items in lists.items() if all(isinstance(item, str) for item in items)]
    named = [key for key in of_texts if key.casefold() in _LISTS_OF_QUESTIONS]
    if not of_objects and len(of_texts) == 1 and len(value) == 1:
        return FoundRecords(of_texts[0])
    if not of_objects and len(named) == 1:
        return FoundRecords(named[0])
    if not of_objects and (records := _by_id(value, columns)) is not None:
        return FoundRecords(None, tuple(records))
    inner = [cast("dict[str, Any]", item) for item in value.values() if isinstance(item, dict)]
    if not of_objects and len(inner) == 1 and any(isinstance(item, list) for item in inner[0].values()):
        found = find_records(inner[0], columns, file)
        records = found.records if found.key is None else tuple(_as_records(inner[0][found.key]))
        return FoundRecords(None, records, found.notes)
    keys = ", ".join(quoted(key) for key in of_objects)
    reason = f"holds several lists of objects: {keys}" if of_objects else "is an object that holds no list of objects"
    raise QuestionFileError(f"{quoted(file)} {reason}", "give a list of objects, or one object per line in a .jsonl")


def expand(values: Mapping[str, Any], columns: Columns) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Yield the records nested in one, each with a line on what was left out; a plain record yields itself."""
    row = values.get("row")
    if isinstance(row, dict) and "row_idx" in values:
        cut = cast("list[Any]", values.get("truncated_cells") or [])
        names = ", ".join(quoted(name) for name in cut)
        yield cast("dict[str, Any]", row), f"the data set viewer has cut cells of {names} short" if cut else ""
        return
    if (opened := _opened_request(values, columns)) is not None:
        yield opened, ""
        return
    paragraphs = values.get("paragraphs")
    articles: list[Mapping[str, Any]] = [values]
    if isinstance(paragraphs, list) and any(_questions_under(item) for item in cast("list[Any]", paragraphs)):
        shared = {key: item for key, item in values.items() if key != "paragraphs"}
        articles = [shared | cast("dict[str, Any]", item) for item in cast("list[Any]", paragraphs)]
    for article in articles:
        key = _questions_under(article)
        if key is None or has_question_column(article, columns):
            yield article, ""
            continue
        shared = {name: item for name, item in article.items() if name != key}
        for question in cast("list[dict[str, Any]]", article[key]):
            yield shared | question, ""


def _opened_request(values: Mapping[str, Any], columns: Columns) -> dict[str, Any] | None:
    """Return a record whose question stands in an object of it, with what that holds beside the rest.

    OpenAI's and Anthropic's batches keep it in the body of a request, traces in their inputs.
    """
    for key in _REQUESTS:
        inner = values.get(key)
        if not isinstance(inner, dict) or has_question_column(values.keys() - {key}, columns):
            continue
        request = cast("dict[str, Any]", inner)
        if not has_question_column(request, columns):
            continue
        rest = {name: item for name, item in values.items() if name != key}
        outputs = rest.get("outputs")
        if isinstance(outputs, dict):
            rest = {name: item for name, item in rest.items() if name != "outputs"} | cast("dict[str, Any]", outputs)
        system = {"system": request["instructions"]} if isinstance(request.get("instructions"), str) else {}
        return rest | system | request
    return None


def _as_records(items: Sequence[Any]) -> Iterator[Mapping[str, Any]]:
    for item in items:
        if isinstance(item, dict):
            yield cast("dict[str, Any]", item)
        elif isinstance(item, str):
            yield {"question": item}


def _questions_under(value: object) -> str | None:
    """Return the key under which an article holds its questions, `None` where it is none."""
    if not isinstance(value, dict):
        return None
    article = cast("dict[str, Any]", value)
    for key in _UNDER:
        items = article.get(key)
        if isinstance(items, list) and items and all(_asks(item, Columns()) for item in cast("list[Any]", items)):
            return key
    return None


def _asks(value: object, columns: Columns) -> bool:
    """Whether a value is a record with a question in it, or holds such records."""
    if not isinstance(value, dict):
        return False
    record = cast("dict[str, Any]", value)
    return has_question_column(record, columns) or _asks(record.get("row"), columns)


def _split_table(value: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """Return the records of `{"columns": [...], "data": [[...]]}`, `None` where it is none."""
    names, rows = value.get("columns"), value.get("data")
    if not isinstance(names, list) or not isinstance(rows, list):
        return None
    names, rows = cast("list[Any]", names), cast("list[Any]", rows)
    if not all(isinstance(name, str) for name in names) or not all(isinstance(row, list) for row in rows):
        return None
    if any(len(row) != len(names) for row in rows):
        return None
    return [dict(zip(names, row, strict=True)) for row in rows]


def side_by_side(value: Mapping[str, Any], columns: Columns) -> list[dict[str, Any]] | None:
    """Return the records of `{"question": [...], "answer": [...]}`, `None` where it is none.

    Pandas writes objects with the row's number as key in place of the lists.
    """
    if not value or not has_question_column(value, columns):
        return None
    if all(isinstance(item, list) for item in value.values()):
        if len({len(item) for item in value.values()}) != 1:
            return None
        # One conversation is a list too.
        asked = next(iter(value.values()))
        if any(isinstance(item, dict) for item in asked):
            return None
        return [dict(zip(value, row, strict=True)) for row in zip(*value.values(), strict=True)]
    if not all(isinstance(item, dict) and item for item in value.values()):
        return None
    rows: list[str] = list(next(iter(value.values())))
    if not all(row.isdecimal() for row in rows):
        return None
    return [{name: column.get(row) for name, column in value.items()} for row in rows]


def _by_id(value: Mapping[str, Any], columns: Columns) -> list[dict[str, Any]] | None:
    """Return the records of `{"id1": {"question": ...}, ...}`, `None` where it is none."""
    items = [(key, cast("dict[str, Any]", item)) for key, item in value.items() if isinstance(item, dict)]
    asking = [(key, item) for key, item in items if _asks(item, columns) or _questions_under(item) is not None]
    if not asking or len(asking) != len(value):
        return None
    return [item if _questions_under(item) is not None or "id" in item else {"id": key, **item} for key, item in asking]
