"""Runs that an earlier version began, whose question file is read otherwise today: they go on as they were drawn."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from homogaudit.questions import QuestionFile
from homogaudit.records import Question
from homogaudit.store import RunFile
from homogaudit.store.run_facts import differences
from homogaudit.store.shards import Shards

READER = 2
"""Of the way in which question files are read, kept with a run; runs of version 0.1.0 are without one."""


def earlier_questions(
    path: Path, question_file: QuestionFile, parameters: Mapping[str, Any], shards: Shards
) -> list[Question] | None:
    """Return the questions of a run that version 0.1.0 began with the same command; `None` where it is none.

    Raises:
        RunFileError: The run file cannot be read.
    """
    if not question_file.earlier or any(question.choices for question in question_file.questions):
        return None
    with RunFile.open(path) as run:
        stored = run.parameters
        if run.reader is not None or "questions" not in stored:
            return None
        questions = run.questions()
    today = {key: value for key, value in parameters.items() if key != "questions"}
    if list(differences({key: value for key, value in stored.items() if key != "questions"}, today)):
        return None
    if stored["questions"].get("count") != len(question_file.earlier) or shards.of > len(question_file.earlier):
        return None
    asked = [Question(question.id, question.text, question.category) for question in questions]
    return questions if asked == shards.take(question_file.earlier) else None
