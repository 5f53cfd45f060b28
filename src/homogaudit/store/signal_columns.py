"""The stored values of one signal, as columns: a large run has millions of them, too many for an object each.

Knows nothing of the table that they are read from.
"""

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from homogaudit.records import SignalValue

_ABSENT = -1


@dataclass(frozen=True, slots=True, eq=False)
class SignalColumn(Mapping[str, SignalValue]):
    """The values of one signal by question id, in the order of the file; each is made when it is asked for.

    Attributes:
        places: Of all questions of the run, from 0, by id.
        numbers: The values by place, NaN where undefined or not stored.
        seconds: By place, what computing it cost.
        reasons: The different ones.
    """

    signal: str
    places: Mapping[str, int]
    numbers: NDArray[np.float64]
    seconds: NDArray[np.float64]
    reasons: Sequence[str]
    _codes: NDArray[np.int32]

    def __getitem__(self, question_id: str) -> SignalValue:
        place = self.places[question_id]
        reason, value = self.reason_at(place), float(self.numbers[place])
        if reason is None:
            raise KeyError(question_id)
        defined = None if np.isnan(value) else value
        return SignalValue(question_id, self.signal, defined, reason, float(self.seconds[place]))

    def __iter__(self) -> Iterator[str]:
        return (question_id for question_id, place in self.places.items() if self._codes[place] != _ABSENT)

    def __len__(self) -> int:
        return int(np.count_nonzero(self._codes != _ABSENT))

    def commonest_reason(self, places: NDArray[np.intp]) -> str:
        """Return the reason of most of some questions, of the first where it is a tie; empty where none is stored."""
        counts: Counter[str] = Counter()
        codes: list[int] = self._codes[places].tolist()
        for code, times in Counter(codes).items():
            counts["" if code == _ABSENT else self.reasons[code]] += times
        return counts.most_common(1)[0][0]

    def reason_at(self, place: int) -> str | None:
        """Return the reason that is stored for one question, `None` where nothing is stored."""
        code = int(self._codes[place])
        return None if code == _ABSENT else self.reasons[code]


def signal_columns(
    rows: Iterable[tuple[int, str, float | None, str, float]], positions: Mapping[str, int]
) -> dict[str, SignalColumn]:
    """Return the columns of all signals.

    Args:
        rows: Position of the question, name, value, reason and seconds; a position of no question is left out.
        positions: Of all questions, by id, in the order of the file.
    """
    places = {question_id: place for place, question_id in enumerate(positions)}
    place_at = {position: place for place, position in enumerate(positions.values())}
    nothing, absent = array("d", [np.nan]) * len(places), array("i", [_ABSENT]) * len(places)
    found: dict[str, tuple[array[float], array[float], array[int], dict[str, int]]] = {}
    for position, signal, value, reason, seconds in rows:
        place = place_at.get(position)
        if place is None:
            continue
        if signal not in found:
            found[signal] = (nothing[:], nothing[:], absent[:], {})
        numbers, spent, codes, reasons = found[signal]
        if value is not None:
            numbers[place] = value
        spent[place] = seconds
        codes[place] = reasons.setdefault(reason, len(reasons))
    return {
        signal: SignalColumn(
            signal, places, np.frombuffer(numbers), np.frombuffer(spent), tuple(reasons), np.frombuffer(codes, "i4")
        )
        for signal, (numbers, spent, codes, reasons) in found.items()
    }
