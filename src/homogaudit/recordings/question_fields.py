"""What a record says of its question, in the keys of the recorded format, read as question files are."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from homogaudit.errors import QuestionFileError, UsageError
from homogaudit.questions.choices import ChoiceReader
from homogaudit.questions.layouts import ALIASES, Columns, normalised
from homogaudit.questions.raw_records import RawRecord
from homogaudit.questions.reading import Asking, Reading, read_questions
from homogaudit.questions.references import read_references
from homogaudit.recordings.draws import content_text
from homogaudit.recordings.names import by_normal_name
from homogaudit.recordings.question_list import question_values
from homogaudit.recordings.source import Notes, Source, items_of, object_of
from homogaudit.store.recorded_lines import LineError, shown

_QUESTION_NAMES = ("prompts", "queries", "user_input", "input_text", "inputs")
"""Of a question in files of answers, beside the names that question files use."""

_KNOWN = frozenset({*ALIASES["question"], *_QUESTION_NAMES})

_GUESSED = frozenset({*ALIASES["answers"], *ALIASES["incorrect_answers"], "choices", "options", "context"}) - {
    "answers",
    "incorrect_answers",
}
"""They say something of the references or the context; a record without them says it in the format's own words."""

_YES_NO = {"true": "yes", "false": "no"}

_IDS = (*ALIASES["id"], "custom_id", "doc_id", "prompt_id")


class QuestionFields:
    """Reads the questions of one file.

    `probe` are records that show how the file counts the choices of its questions, by default its first ones.
    """

    def __init__(self, source: Source, probe: Iterable[Mapping[str, Any]] | None = None) -> None:
        self._options = source.options
        self._columns = Columns(question=source.options.question, answers=source.options.references)
        self.notes = source.notes
        self._is_table = source.kind == "table"
        self._file = source.path.name
        self._probe: list[RawRecord] = []
        records = [RawRecord(0, record) for record in (source.records if probe is None else probe)]
        self._tell(records)

    def read(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the keys of the recorded format that say what was asked; others are kept.

        Raises:
            LineError: The record has no question, or a value of the wrong kind.
        """
        values = self._asked(values)
        if not self._options.names_columns and _is_plain(values):
            return self.completed(dict(values))
        values = _renamed(values)
        if self._options.question is None and not _KNOWN & by_normal_name(values).keys():
            listed = ", ".join(shown(name) for name in list(values)[:8]) or "none"
            hint = "name it with `--question-column NAME`, or give the questions by id with `--questions FILE`"
            raise LineError(f"no `question`: its keys are {listed}", hint)
        try:
            question = self._reading([*self._probe, RawRecord(0, values)]).located[-1].question
        except (QuestionFileError, UsageError) as error:
            raise LineError(error.message.replace(f"`{self._file}` line 0", "it", 1), error.hint) from None
        found = question_values(question)
        for key in ("answers", "incorrect_answers"):
            if found.get(key):
                found[key] = self._with_yes_or_no(found[key])
        return self.completed(found)

    def _with_yes_or_no(self, answers: list[str]) -> list[str]:
        """Return reference answers with what a truth value says, which others store as a text."""
        word = _YES_NO.get(answers[0].casefold()) if len(answers) == 1 else None
        if word is None:
            return answers
        self.notes.say(f"the reference answer {shown(answers[0])} counts as {shown(word)} too")
        return [word, *answers]

    def references(self, value: object) -> list[str]:
        """Return the reference answers in a value that stands apart from its question.

        Raises:
            LineError: There is no text in it.
        """
        try:
            return list(read_references(value))
        except QuestionFileError as error:
            raise LineError(error.message, error.hint) from None

    def completed(self, values: dict[str, Any]) -> dict[str, Any]:
        """Return a question with the references of the same one in the files of questions."""
        if values.get("answers") or values.get("incorrect_answers") or not self._options.asked.names:
            return values
        found = self._options.asked.find(values.get("id"), values.get("question"))
        return values if found is None else {**question_values(found), **values}

    def _asked(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the values, with a question from the files of questions where they have none but an id."""
        names = by_normal_name(values)
        if not self._options.asked.names or names.keys() & _KNOWN or self._options.question is not None:
            return values
        identifier = next((values[names[name]] for name in _IDS if name in names), None)
        found = self._options.asked.find(identifier, None)
        if found is None:
            raise self._options.asked.unknown(identifier)
        return {**question_values(found), **values, "question": found.text}

    def _reading(self, records: list[RawRecord]) -> Reading:
        names = list(dict.fromkeys(name for record in records for name in record.values))
        return read_questions(records, names, self._columns, Asking(), is_table=self._is_table, file=self._file)

    def _tell(self, records: list[RawRecord]) -> None:
        """Say once how the questions of the file are read; keep what shows how it counts their choices."""
        renamed = [RawRecord(0, _renamed(record.values)) for record in records]
        renamed = [record for record in renamed if _KNOWN & by_normal_name(record.values).keys()]
        if not renamed or all(_is_plain(record.values) for record in renamed):
            return
        prepared = [({normalised(name): item for name, item in x.values.items()}, "it") for x in renamed]
        try:
            has_choices = ChoiceReader(prepared, self._columns.answers, {"question", "prompt"}).columns
            notes = self._reading(renamed).notes if has_choices or self._options.names_columns else ()
        except (QuestionFileError, UsageError):
            return
        if has_choices:
            self._probe = renamed
            for note in notes:
                if "choices" in note:
                    self.notes.say(note.replace(" (`--with-choices` asks them)", ""))


def _renamed(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values with a name that only files of answers use under that of question files."""
    names = by_normal_name(values)
    found = next((names[name] for name in _QUESTION_NAMES if name in names), None)
    if found is None or names.keys() & frozenset(ALIASES["question"]):
        return dict(values)
    return {"question" if name == found else name: value for name, value in values.items()}


def _is_plain(values: Mapping[str, Any]) -> bool:
    """Whether a record says what was asked in the format's own words and nothing in it need be guessed."""
    if not isinstance(values.get("question"), str):
        return False
    for key in ("answers", "incorrect_answers"):
        items = values.get(key)
        if items is not None and (not isinstance(items, list) or any(map(_is_odd, items_of(items)))):
            return False
    if isinstance(values.get("context"), str) and "passages" in values:
        # As this project exports it.
        values = {key: value for key, value in values.items() if key != "context"}
    return not _GUESSED & by_normal_name(values).keys()


def _is_odd(item: object) -> bool:
    """Whether a reference answer may not be the text that it looks like."""
    if not isinstance(item, str):
        return True
    text = item.strip()
    return text.startswith(("[", "{", "array(")) or text.casefold() in ("true", "false")


def request_question(request: Mapping[str, Any], notes: Notes) -> dict[str, Any]:
    """Return the question of a request to a server: its last user turn, and its system message; empty without one."""
    given = request.get("messages", request.get("input"))
    turns = [object_of(turn) for turn in items_of(given)]
    if not turns:
        prompt = request.get("prompt", given)
        return {"question": prompt} if isinstance(prompt, str) and prompt.strip() else {}
    asked = [content_text(turn.get("content")) for turn in turns if turn.get("role") == "user"]
    told = [content_text(turn.get("content")) for turn in turns if turn.get("role") in ("system", "developer")]
    told = [request.get("instructions"), content_text(request.get("system")), *told]
    texts = [text for text in asked if text and text.strip()]
    if not texts:
        return {}
    if len(texts) > 1:
        notes.say("of several user turns the last is the question; the turns before it are left out")
    question: dict[str, Any] = {"question": texts[-1]}
    if system := "\n".join(text for text in told if isinstance(text, str) and text.strip()):
        question["system"] = system
    return question


def prompt_question(prompt: str, notes: Notes) -> dict[str, Any]:
    """Return the question of a prompt: a text, or chat messages as JSON."""
    try:
        messages = json.loads(prompt) if prompt.lstrip().startswith("[") else None
    except (ValueError, RecursionError):
        messages = None
    asked = request_question({"messages": messages}, notes) if isinstance(messages, list) else {}
    return asked or {"question": prompt}
