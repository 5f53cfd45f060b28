"""Pairs of answers whose meanings are known to be the same or to differ, and an embedder's cosine for each.

Knows the file of pairs; what follows from the cosines is statistics.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from homogaudit.clustering.embedders import Embedder
from homogaudit.errors import UsageError

KINDS = (
    "paraphrase",
    "number",
    "number_in_words",
    "unit",
    "name",
    "negation",
    "hedge",
    "more_specific",
    "reordered",
    "contradiction",
    "roles",
    "other",
)
"""What sets the two answers of a pair apart. A `paraphrase` means the same and `other` does not; pairs of the kinds
between them may do either."""

SOURCES = ("written", "run")
"""A pair was written for the purpose, or its answers are samples of a run."""


@dataclass(frozen=True, slots=True)
class AnswerPair:
    """Two answers to one question.

    Attributes:
        same: Whether they mean the same.
        kind: One of `KINDS`.
        subject: What the question is about, such as `history`; subjects can be held out.
        source: One of `SOURCES`.
        second: What a second reader said of `same`, who had seen neither that label nor any score.
    """

    question: str
    a: str
    b: str
    same: bool
    kind: str
    subject: str | None = None
    source: str | None = None
    second: bool | None = None


@dataclass(frozen=True, slots=True)
class AnswerPairs:
    """A file of pairs.

    Attributes:
        sha256: Of its bytes.
    """

    pairs: tuple[AnswerPair, ...]
    sha256: str


def load_answer_pairs(path: Path) -> AnswerPairs:
    """Read a file of pairs: JSON Lines with `question`, `a`, `b`, `same`, `kind`; maybe `subject` and `source`.

    Raises:
        UsageError: It cannot be read; the message names the line.
    """
    try:
        content = path.read_bytes()
        lines = content.decode("utf-8-sig").splitlines()
    except OSError as error:
        raise UsageError(f"cannot read `{path}`: {(error.strerror or str(error)).lower()}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"`{path}` is not UTF-8 text") from error
    pairs = tuple(_pair(line, f"`{path}`, line {number}") for number, line in enumerate(lines, 1) if line.strip())
    return AnswerPairs(pairs, hashlib.sha256(content).hexdigest())


def pair_cosines(pairs: Sequence[AnswerPair], embedder: Embedder) -> NDArray[np.float64]:
    """Return (n,) cosines of the two answers of each pair; each text is embedded once.

    Raises:
        EmbedderError: The embedder fails.
    """
    texts = list(dict.fromkeys(text for pair in pairs for text in (pair.a, pair.b)))
    rows = {text: row for row, text in enumerate(texts)}
    vectors = embedder.embed(texts).astype(np.float64)
    products = vectors[[rows[pair.a] for pair in pairs]] * vectors[[rows[pair.b] for pair in pairs]]
    return np.clip(products.sum(axis=1), -1.0, 1.0)


def _pair(line: str, place: str) -> AnswerPair:
    try:
        row = cast(dict[str, Any], json.loads(line))
        pair = AnswerPair(**row)
    except (ValueError, TypeError) as error:
        raise UsageError(f"{place} is no pair", "it needs `question`, `a`, `b`, `same` and `kind`") from error
    texts: list[Any] = [row["question"], row["a"], row["b"]]
    if not all(isinstance(text, str) and text.strip() for text in texts):
        raise UsageError(f"{place}: `question`, `a` and `b` must be texts")
    if row["same"] not in (True, False) or pair.kind not in KINDS or pair.kind == ("paraphrase", "other")[pair.same]:
        raise UsageError(
            f"{place}: `same` and `kind` do not fit",
            f"kinds are {', '.join(KINDS)}; a `paraphrase` is the same, and `other` is not",
        )
    if not isinstance(row.get("subject", ""), str) or row.get("source", "run") not in SOURCES:
        raise UsageError(f"{place}: `subject` must be a text", f"and `source` one of {', '.join(SOURCES)}")
    return pair
