"""What is asked about greedy answers while their cells are still in the cache: prompts as tokens, and reading replies.

It knows tokens, and nothing of slots or of what the replies mean.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from homogaudit.generation.generator import FollowUp, FollowUps, NextTokens
from homogaudit.questions.prompts import Prompt
from homogaudit.records import Generation


@dataclass(frozen=True, slots=True)
class NextTokenReader:
    """Reads the probabilities of some tokens, by their numbers `ids` (W,)."""

    texts: tuple[str, ...]
    ids: NDArray[np.intp]

    def logprobs(self, logits: Any) -> NDArray[np.float64]:
        """Return ln p (W,) of each over the full vocabulary, nats, from one row of logits (V,)."""
        # In float64: a sum over 262,144 terms keeps its digits.
        row = np.asarray(logits.cpu() if hasattr(logits, "cpu") else logits, np.float64)
        top = row.max()
        return row[self.ids] - (top + np.log(np.exp(row - top).sum()))


@dataclass(frozen=True, slots=True)
class TokenizedFollowUp:
    """A follow-up and the tokens of its prompt."""

    follow_up: FollowUp
    tokens: Sequence[int]


@dataclass(slots=True, eq=False)
class HeldAnswer:
    """A greedy answer whose cells are kept until it has been asked about.

    Attributes:
        cells: Sequences that prompts may go on from, with the tokens in each; the answer's own is the first.
    """

    question_id: str
    cells: list[tuple[int, Sequence[int]]]
    left: deque[TokenizedFollowUp] = field(default_factory=deque[TokenizedFollowUp])


@dataclass(frozen=True, slots=True)
class Asker:
    """Turns what is to be asked into tokens, and logits into what was said.

    Attributes:
        room: Tokens that a prompt and its reply may have.
    """

    follow_ups: FollowUps
    tokenize: Callable[[Prompt], Sequence[int]]
    reader: Callable[[frozenset[str]], NextTokenReader]
    room: int

    def about(self, answer: Generation) -> deque[TokenizedFollowUp]:
        """Return what is to be asked about a greedy answer, what is only read first: replies can go on from it."""
        found = [TokenizedFollowUp(x, self.tokenize(x.prompt)) for x in self.follow_ups.about(answer)]
        fitting = (x for x in found if len(x.tokens) + x.follow_up.limit <= self.room)
        return deque(sorted(fitting, key=lambda x: x.follow_up.limit))

    def read(self, logits: Any, asked: TokenizedFollowUp, seconds: float) -> NextTokens:
        """Return what the model may say next to a follow-up that is only read."""
        reader = self.reader(asked.follow_up.words)
        return NextTokens(reader.texts, reader.logprobs(logits), len(asked.tokens), seconds)


def shared_length(one: Sequence[int], other: Sequence[int]) -> int:
    """Return how many leading tokens two sequences have in common."""
    limit = min(len(one), len(other))
    return next((place for place in range(limit) if one[place] != other[place]), limit)
