"""Columns that look as if they mattered and are not used, named in a line a kind with the flag that would use them."""

import re
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any

from homogaudit.questions.wording import listed

_OTHER_FACTS = re.compile(
    r"(?:_|^)(?:type|id|start|end|idx|index|len|length|count|source|url|lang|format|config|metadata|logprob|time|score"
    r"|date)s?$"
)
"""Facts about an answer or a context rather than one."""

_KINDS = (
    (
        re.compile(
            r"(?:^|_)(?:answers?|solutions?|targets?|gold|references?|ideal|outputs?|responses?|completion"
            r"|choices|options|ground_truth|answer_?key)(?:_|\d|$)|^labels?$"
            r"|^(?:chosen|rejected|final_decision|verdict|truth|is_true|is_correct|correct)$"
        ),
        "answers",
        "`--answers-column NAME` uses one",
    ),
    (
        re.compile(
            r"(?:^|_)(?:context|passage|knowledge|support|document|evidence|article|background|paragraph|facts)"
            r"(?:_text|s)?(?:_|\d|$)"
        ),
        "context",
        "`--context-column NAME` asks one with each question",
    ),
    (
        re.compile(r"^(?:turns|conversations?|messages|prompt)$"),
        "prompts",
        "`--question-column NAME` asks one",
    ),
)


def unused_notes(records: Sequence[Mapping[str, Any]], used: Set[str], shown: Mapping[str, str]) -> Iterator[str]:
    """Yield a line for each kind of columns that are not used.

    Records and `used` are by normalised column; `shown` has the names as the file writes them.
    """
    filled = {name: None for record in records for name, value in record.items() if value not in (None, "", [], {})}
    left = [name for name in filled if name not in used and not _OTHER_FACTS.search(name)]
    for pattern, what, flag in _KINDS:
        found = [name for name in left if pattern.search(name)]
        left = [name for name in left if not pattern.search(name)]
        if found:
            names = listed((shown.get(name, name) for name in found), limit=5)
            verb, is_used = ("looks", "is") if len(found) == 1 else ("look", "are")
            yield f"{names} {verb} like {what} and {is_used} not used ({flag})"
