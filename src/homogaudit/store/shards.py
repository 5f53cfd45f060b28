"""Shares of a question file: which questions a run of one share asks, and which shares a run file holds.

Share K of N is every N-th question from the K-th on, in the order in which the whole file would be asked. So shares
differ in size by one question at most, and a file that is sorted by topic is spread over all of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from homogaudit.errors import UsageError

T = TypeVar("T")

_MOST_SHARDS = 100_000


@dataclass(frozen=True, slots=True)
class Shards:
    """Some of the shares of a question file.

    Attributes:
        held: Their numbers, from 1, ascending.
        of: Into how many the file is cut; 1 for a whole file.
    """

    held: tuple[int, ...]
    of: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `K/N`.

        Raises:
            UsageError: It is none.
        """
        number, _, of = text.partition("/")
        if not (number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of) <= _MOST_SHARDS):
            raise UsageError(f"`{text}` is not a shard", "`--shard 2/8` takes the second of eight shares")
        return cls((int(number),), int(of))

    @classmethod
    def of_parameters(cls, parameters: Mapping[str, Any]) -> Self:
        """Return what the parameters of a run say; a run that was not cut holds the whole file."""
        found = parameters.get("shard")
        return cls((1,), 1) if found is None else cls(tuple(found["held"]), found["of"])

    def as_parameter(self) -> dict[str, Any]:
        """Return what `of_parameters` reads."""
        return {"held": list(self.held), "of": self.of}

    @property
    def missing(self) -> tuple[int, ...]:
        """The shares that are not held."""
        return tuple(sorted(set(range(1, self.of + 1)).difference(self.held)))

    def positions(self, questions: int) -> list[int]:
        """Return the places in the whole file, from 0, of the questions held, ascending."""
        return sorted(place for number in self.held for place in range(number - 1, questions, self.of))

    def take(self, questions: Sequence[T]) -> list[T]:
        """Return the questions held.

        Raises:
            UsageError: There are none.
        """
        if self.of > len(questions):
            raise UsageError(
                f"{len(questions)} questions cannot be cut into {self.of} shards", "cut them into fewer with `--shard`"
            )
        return [questions[place] for place in self.positions(len(questions))]

    def __str__(self) -> str:
        if len(self.held) == 1:
            return f"shard {self.held[0]}/{self.of}"
        return f"shards {', '.join(map(str, self.held))} of {self.of}"
