"""How long answers become under any limit, from answers that ended, were cut, or are still being written."""

import math
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import Self

from homogaudit.records import Decoding

_PRIOR_ENDS = 0.5
"""What the mean rate of all counts for in an octave, in ends: it decides where hardly an answer came so far."""


class AnswerLengths:
    """Counts after how many tokens answers ended and after how many they went on.

    The chance that an answer ends where its next token would stand is taken to be constant within an octave: behind 0
    tokens, 1 and 2, 3 to 6, 7 to 14, ... An answer that was cut, or is being written, counts as far as it came. Where
    no answer came, the chance is the mean one of all.

    Attributes:
        longest: Tokens of the longest answer that was counted.

    References:
        Friedman (1982), "Piecewise exponential models for survival data with covariates", Annals of Statistics 10(1).
    """

    def __init__(self, went_on: Sequence[float] = (), ended: Sequence[float] = ()) -> None:
        self._went_on = list(went_on)
        self._ended = list(ended)
        self.longest = 0.0

    @property
    def counts(self) -> tuple[list[float], list[float]]:
        """How many tokens were followed by another one, and how many answers ended, by octave; what it is made from."""
        return self._went_on, self._ended

    @property
    def ends(self) -> float:
        """How many answers ended."""
        return sum(self._ended)

    def add(self, tokens: float, *, is_ended: bool, answers: int = 1) -> None:
        """Count answers of so many tokens, that ended by themselves or that got no further."""
        self.longest = max(self.longest, tokens)
        octave, begin = 0, 0
        while begin < tokens or (is_ended and begin <= tokens):
            end = 2 * begin + 1
            if octave == len(self._went_on):
                self._went_on.append(0.0)
                self._ended.append(0.0)
            self._went_on[octave] += answers * (min(tokens, end) - begin)
            self._ended[octave] += answers * (is_ended and tokens < end)
            octave, begin = octave + 1, end

    def with_open(self, written: Iterable[int]) -> Self:
        """Return these together with answers that are being written and have so many tokens each."""
        found = type(self)(*self.counts)
        found.longest = self.longest
        for tokens in written:
            found.add(tokens, is_ended=False)
        return found

    def after(self, earlier: Self) -> Self:
        """Return these together with those of earlier answers, each of which counts for half an answer."""
        pairs = zip(self.counts, earlier.counts, strict=True)
        found = type(self)(*([x + y / 2 for x, y in zip_longest(new, old, fillvalue=0.0)] for new, old in pairs))
        found.longest = max(self.longest, earlier.longest)
        return found

    def mean_of(self, decoding: Decoding, written: float = 0.0, most: float = math.inf) -> float:
        """Return the mean over the answers of a question, which has one greedy answer; else as `mean`."""
        samples, greedy = (min(x, most) for x in (decoding.max_tokens, decoding.greedy_max_tokens))
        whole = decoding.samples * self.mean(samples, written) + self.mean(greedy, written)
        return whole / (decoding.samples + 1)

    def mean(self, limit: float, written: float = 0.0) -> float:
        """Return how many tokens an answer that has so many goes on for, up to a limit."""
        chance = _share(self.ends, sum(self._went_on))
        total, alive = 0.0, 1.0
        octave, begin = 0, 0
        while begin < limit:
            end = 2 * begin + 1
            tokens = min(limit, end) - max(begin, written)
            if tokens > 0:
                ends = self._chance(octave, chance)
                # alive x (1 - ends)^k, summed over the tokens of the octave.
                left = (1 - ends) ** tokens
                total += alive * ((1 - ends) * (1 - left) / ends if ends else tokens)
                alive *= left
            octave, begin = octave + 1, end
        return total

    def _chance(self, octave: int, mean: float) -> float:
        """Return the chance that an answer ends at a place within an octave."""
        went_on, ended = (x[octave] if octave < len(x) else 0.0 for x in (self._went_on, self._ended))
        if not mean:
            return 0.0
        return (ended + _PRIOR_ENDS) / (went_on + ended + _PRIOR_ENDS / mean)


def _share(ended: float, went_on: float) -> float:
    return ended / (ended + went_on) if ended else 0.0
