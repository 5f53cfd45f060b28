"""How many words an answer shares with a reference: the F1 of question answering, which counts part of an answer.

Source: Rajpurkar et al., arXiv 1606.05250 (SQuAD): lower case, no punctuation, no articles, words counted as often as
they stand.
"""

import re
import string
from collections import Counter
from collections.abc import Iterable

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def token_f1(answer: str, references: Iterable[str]) -> float:
    """Return the F1 of an answer's words and those of the reference that it shares most with; 0 without any shared."""
    words = _words(answer)
    return max((_f1(words, _words(reference)) for reference in references), default=0.0)


def _words(text: str) -> Counter[str]:
    return Counter(_ARTICLES.sub(" ", text.lower().translate(_NO_PUNCTUATION)).split())


def _f1(answer: Counter[str], reference: Counter[str]) -> float:
    shared = (answer & reference).total()
    return 2 * shared / (answer.total() + reference.total()) if shared else 0.0
