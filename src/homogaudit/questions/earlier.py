"""How version 0.1.0 read a question file: which texts it asked, under which ids.

A run that it left unfinished goes on with the questions that it stored, though the file is read otherwise today; this
tells whether it is that file's run.
"""

from collections.abc import Sequence

from homogaudit.questions.layouts import Columns, by_column, normalised
from homogaudit.questions.raw_records import RawRecord
from homogaudit.records import Question, make_question_id

_QUESTION = ("question", "prompt", "text", "query", "problem", "input", "utterance", "instruction")
_ID = ("id", "_id", "question_id", "qid")
_CATEGORY = ("category", "topic", "subject")


def read_earlier(records: Sequence[RawRecord], columns: Columns) -> list[Question] | None:
    """Return a question a record, duplicates included, as far as they are compared.

    `None` where 0.1.0 would have refused the file.
    """
    found_columns = [by_column(record.values) for record in records]
    names = {name for values in found_columns for name in values}
    chosen: dict[str, str | None] = {}
    for field, given, usual in (
        ("question", columns.question, _QUESTION),
        ("id", columns.id, _ID),
        ("category", columns.category, _CATEGORY),
    ):
        accepted = usual if given is None else (normalised(given),)
        chosen[field] = next((name for name in accepted if name in names), None)
    if chosen["question"] is None:
        return None
    found: list[Question] = []
    for values in found_columns:
        text = values.get(chosen["question"])
        if not isinstance(text, str) or not text.strip():
            return None
        category = _scalar(values.get(chosen["category"] or ""))
        if chosen["category"] is None and isinstance(values.get("context"), list | dict):
            category = _scalar(values.get("type"))
        identifier = _scalar(values.get(chosen["id"] or "")) or make_question_id(text.strip())
        found.append(Question(identifier, text.strip(), category))
    return found


def _scalar(value: object) -> str | None:
    return str(value).strip() or None if isinstance(value, str | int | float) else None
