"""What is to be expected of a run; apart from the other records because those bring NumPy."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is to be expected of a run that stops once it is decided.

    Attributes:
        chance: Of a decision within its questions, from 0 to 1.
        fewest: Questions after which one such run in four is decided, were there more of them; `None` where more than
            1,000,000 are needed.
        most: The same, of three in four.
    """

    chance: float
    fewest: int | None
    most: int | None
