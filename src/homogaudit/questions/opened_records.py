"""One record of a question file by normalised column, with the objects that hold its question opened.

Knows where data sets put a question's text, choices and short answers inside other values; what they mean is
`reading`'s business.
"""

from collections.abc import Mapping
from typing import Any, cast

from homogaudit.questions.layouts import by_column
from homogaudit.questions.raw_records import RawRecord
from homogaudit.questions.references import decoded, lowered_keys
from homogaudit.questions.wording import quoted


class OpenedRecord:
    """One record by normalised column.

    Attributes:
        values: By normalised column; of two names that become one the first stays.
    """

    def __init__(self, record: RawRecord, file: str) -> None:
        self.line = record.line
        self.where = f"{quoted(file)} line {record.line}"
        self.given = record.values
        self.values = by_column(record.values)
        asked = decoded(self.values.get("question"), self.where) if "question" in self.values else None
        if isinstance(asked, dict):
            # ARC and CommonsenseQA write the choices into the question, Natural Questions its tokens.
            parts = lowered_keys(cast("dict[str, Any]", asked))
            stem = next((parts[name] for name in ("stem", "text") if isinstance(parts.get(name), str)), None)
            if stem is not None:
                self.values["question"] = stem
                self.values |= {name: parts[name] for name in ("choices",) if name in parts}
        if "short_answers" in str(self.values.get("annotations", ""))[:2000]:
            self.values.setdefault("answers", _short_answers(self.values))


def _short_answers(values: Mapping[str, Any]) -> Any:
    """Return the short answers of a Natural Questions record, as texts or by their places in the document."""
    annotations = values["annotations"]
    each = cast("list[Any]", annotations) if isinstance(annotations, list) else [annotations]
    spans = [
        span
        for item in each
        if isinstance(item, dict)
        for span in cast("dict[str, Any]", item).get("short_answers") or ()
    ]
    tokens = values["document_text"].split(" ") if isinstance(values.get("document_text"), str) else []
    found: list[Any] = []
    for span in spans:
        if isinstance(span, dict) and "text" not in span and tokens:
            place = cast("dict[str, Any]", span)
            found.append(" ".join(tokens[place.get("start_token", 0) : place.get("end_token", 0)]))
        elif isinstance(span, dict) and "text" in span:
            found.append(cast("dict[str, Any]", span)["text"])
    return found
