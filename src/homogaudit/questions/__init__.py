"""Questions: read question files in their known layouts, and turn a question into a prompt and a text into an answer.

Knows nothing of models, tokens or clusters.
"""

from homogaudit.questions.layouts import Columns
from homogaudit.questions.loaders import Duplicate, QuestionFile, in_random_order, load_questions
from homogaudit.questions.prompts import Prompt, PromptRenderer, Segment, load_template
from homogaudit.questions.reading import Asking
from homogaudit.questions.references import read_references
from homogaudit.questions.thinking import ParsedAnswer, split_thinking

__all__ = [
    "Asking",
    "Columns",
    "Duplicate",
    "ParsedAnswer",
    "Prompt",
    "PromptRenderer",
    "QuestionFile",
    "Segment",
    "in_random_order",
    "load_questions",
    "load_template",
    "read_references",
    "split_thinking",
]
