"""Questions: read question files in their known layouts, and turn a question into a prompt and a text into an answer.

Knows nothing of models, tokens or clusters.
"""

from homogaudit.questions.layouts import Columns, make_id
from homogaudit.questions.loaders import Duplicate, QuestionFile, is_written_without_spaces, load_questions
from homogaudit.questions.prompts import (
    ParsedAnswer,
    Prompt,
    PromptRenderer,
    Segment,
    load_template,
    split_thinking,
)

__all__ = [
    "Columns",
    "Duplicate",
    "ParsedAnswer",
    "Prompt",
    "PromptRenderer",
    "QuestionFile",
    "Segment",
    "is_written_without_spaces",
    "load_questions",
    "load_template",
    "make_id",
    "split_thinking",
]
