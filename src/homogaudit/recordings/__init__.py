"""Answers drawn elsewhere: files of other tools, each turned into lines of the project's own recorded format.

It knows how others write answers down; it knows neither run files nor scoring.
"""

from homogaudit.recordings.question_list import QuestionList
from homogaudit.recordings.reading import ReadRecording, read_recording
from homogaudit.recordings.source import ImportOptions

__all__ = ["ImportOptions", "QuestionList", "ReadRecording", "read_recording"]
