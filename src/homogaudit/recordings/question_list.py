"""What the ids of a recorded file ask: a question file, or the input of a batch, read beside it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from homogaudit.errors import RecordedFileError
from homogaudit.questions.loaders import load_questions
from homogaudit.records import Question, collapse
from homogaudit.store.recorded import lines_of
from homogaudit.store.recorded_lines import QUESTION_FIELDS, LineError, question_line, read_object, shown

_NUMBERED_ID = re.compile(r"(.+?)[-_:#/. ]+(?:(?:sample|run|repeat|rep|trial|draw|epoch|n|k|s)[-_:#. ]*)?\d+")


@dataclass(frozen=True, slots=True)
class QuestionList:
    """Questions by their ids and by their texts, and requests by their ids.

    Attributes:
        requests: Bodies of requests by `custom_id`.
    """

    names: tuple[str, ...] = ()
    requests: dict[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    _by_id: dict[str, Question] = field(default_factory=dict[str, Question])
    _by_text: dict[str, Question] = field(default_factory=dict[str, Question])

    @classmethod
    def read(cls, paths: Sequence[Path]) -> Self:
        """Read question files and inputs of batches.

        Raises:
            QuestionFileError: One of them is neither.
            RecordedFileError: A line of the input of a batch is broken.
        """
        found = cls(tuple(path.name for path in paths))
        for path in paths:
            if not found._read_requests(path):
                for question in load_questions(path).questions:
                    found._by_id.setdefault(question.id, question)
                    found._by_text.setdefault(collapse(question.text), question)
        return found

    def _read_requests(self, path: Path) -> bool:
        """Read the input of a batch; return whether it is one."""
        is_input = False
        for number, content in lines_of(path) if path.is_file() else ():
            if not is_input and b'"custom_id"' not in content:
                return False
            try:
                record = read_object(content)
            except LineError as error:
                raise RecordedFileError(f"`{path}` line {number}: {error.reason}", error.hint) from None
            is_input = True
            body = record.get("body", record.get("params"))
            if isinstance(body, dict):
                self.requests[str(record.get("custom_id"))] = body
        return is_input

    def find(self, identifier: object, text: object) -> Question | None:
        """Return the question of an id, else that of a text."""
        name = str(identifier)
        found = self._by_id.get(name) if identifier is not None else None
        if found is None and (numbered := _NUMBERED_ID.fullmatch(name)) is not None:
            # A request an answer, its number behind the id of the question.
            found = self._by_id.get(numbered[1])
        return found or (self._by_text.get(collapse(text)) if isinstance(text, str) else None)

    def unknown(self, identifier: object) -> LineError:
        """Return the refusal of an id that none of the files has."""
        listed = ", ".join(map(shown, self.names))
        return LineError(f"no question with the id {shown(identifier)} in {listed}", "give the file with its questions")


def question_values(question: Question) -> dict[str, Any]:
    """Return a question as the recorded format writes it, with what the format does not know."""
    known = ("id", "question", *QUESTION_FIELDS)
    extra = {name: value for name, value in question.extra.items() if name not in known}
    return {**extra, **question_line(question)}
