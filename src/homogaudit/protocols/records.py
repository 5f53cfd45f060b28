"""What running protocols gave, as frozen records; they compute nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from homogaudit.codec import STRICT, Count
from homogaudit.protocols.protocol import Published
from homogaudit.report.figure import Figure
from homogaudit.report.undefined import Undefined

FORMAT: Literal["homogaudit.protocol/1"] = "homogaudit.protocol/1"


@dataclass(frozen=True, slots=True)
class Measured:
    """A figure as a command printed it.

    Attributes:
        low: Lower end of its 95% interval, `None` where it has none.
        high: Upper end of it.
        k: How many of n, of a rate; else `None`.
        n: What it is over; `None` where the output does not say.
    """

    value: float
    low: float | None
    high: float | None
    k: Count | None
    n: Count | None


@dataclass(frozen=True, slots=True)
class ProtocolFigure:
    """A published figure and the measured one.

    Attributes:
        percent: Whether it reads as per cent.
        published: `None` where no published figure was found.
        differs: What differs between the two.
    """

    name: str
    percent: bool
    published: Published | None
    measured: Measured | Undefined
    agrees: Annotated[bool | None, Figure("agrees")]
    differs: str


@dataclass(frozen=True, slots=True)
class ProtocolResult:
    """What one protocol gave.

    Attributes:
        experiments: Their published numbers.
        question: What it answers.
        published_with: Models and data of the published figures.
        runs: The run files by step.
        missing: What was not there, or failed, one line each.
        differs: What differs from the published experiment.
    """

    name: str
    title: str
    experiments: tuple[Count, ...]
    question: str
    published_with: str
    runs: Mapping[str, str]
    figures: tuple[ProtocolFigure, ...]
    missing: tuple[str, ...]
    differs: tuple[str, ...]

    @property
    def is_measured(self) -> bool:
        """Whether at least one figure was."""
        return any(isinstance(figure.measured, Measured) for figure in self.figures)


@dataclass(frozen=True, slots=True)
class ProtocolResults:
    """What `protocol run` prints.

    Attributes:
        source: Where the experiments were published.
        protocols: In the order in which they were asked for.
    """

    __pydantic_config__ = STRICT

    schema: Literal["homogaudit.protocol/1"] = field(default=FORMAT, kw_only=True)
    source: str
    protocols: tuple[ProtocolResult, ...]
