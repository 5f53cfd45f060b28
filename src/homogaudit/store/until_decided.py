"""What a run that stops as soon as it is decided was asked to do, as it stands among the run's parameters."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class UntilDecided:
    """Draw questions in random order until one answer is left.

    Attributes:
        max_scr: The highest single-cluster rate allowed, on whose sides the answers lie; `None` for those of the level.
        seed: Of the order of the questions, which the run file keeps.
    """

    max_scr: float | None = None
    seed: int = 0

    @classmethod
    def of_parameters(cls, parameters: Mapping[str, Any]) -> Self | None:
        """Return what the parameters of a run say, `None` where they ask for the whole file."""
        found = parameters.get("until_decided")
        return None if found is None else cls(found.get("max_scr"), found.get("seed", 0))

    def as_parameter(self) -> dict[str, Any]:
        """Return what `of_parameters` reads."""
        return asdict(self)
