"""How long a drawing still takes, from what it has drawn; knows nothing of what follows it."""

import math

from homogaudit.generation.generator import Drawing, GeneratorFacts
from homogaudit.records import Decoding, Generation
from homogaudit.statistics.answer_lengths import AnswerLengths

_SEEN_ENDS, _SEEN_SHARE = 10, 0.5
"""Answers that have ended (of a small run a quarter of its own), unless one has reached the limit, and share of their
mean length that has been seen, before it is told how long the rest takes: a mean of ten is known to a third."""


class TimeLeft:
    """Counts what one session draws.

    `questions` are those that lack answers when it begins, `replies` what the model is to say about its answers while
    it draws them.

    Attributes:
        started: Questions that are begun.
        replies: Replies that have come.
    """

    def __init__(self, decoding: Decoding, questions: int, replies: int) -> None:
        self._decoding, self._questions, self._replies_wanted = decoding, questions, replies
        self._lengths = AnswerLengths()
        self._drawn = self.started = self.replies = 0

    def add(self, generation: Generation) -> None:
        """Count an answer that is done."""
        self._drawn += 1
        if generation.tokens is not None:
            self._lengths.add(generation.tokens, is_ended=generation.finish_reason == "stop")

    def seconds(
        self, facts: GeneratorFacts, drawing: Drawing, *, draws: int, left: int, waiting: int, spent: float
    ) -> float | None:
        """Return about how long it takes.

        Args:
            facts: What the engine has measured of its steps.
            drawing: What is drawn, with its counts.
            draws: The answers that the run is made of.
            left: Those that are not done.
            waiting: The questions that wait for one.
            spent: Seconds since the drawing began, with what was done beside it, such as scoring.

        Returns:
            `None` while too little was drawn to tell.
        """
        counts, decoding = drawing.counts, self._decoding
        if drawing.is_done:
            return 0.0
        if not counts.tokens:
            # Some servers do not count them.
            return spent / self._drawn * left if self._drawn else None
        written = drawing.live_tokens()
        lengths = self._lengths.with_open(written)
        mean = lengths.mean_of(decoding)
        is_known = lengths.ends >= min(_SEEN_ENDS, draws / 4) or lengths.longest >= decoding.max_tokens
        if left and not (is_known and lengths.mean_of(decoding, most=lengths.longest) >= _SEEN_SHARE * mean):
            return None
        tokens = max(0, left - len(written)) * mean + sum(lengths.mean_of(decoding, x) for x in written)
        # The last answers are written in steps of a few, as many as the longest of n needs: about 1 + ln n means.
        slots = max(1, min(left, facts.slots))
        youngest = min(written, default=0) if left == len(written) else 0
        longest = max(decoding.max_tokens, decoding.greedy_max_tokens) - youngest
        last = min(longest, lengths.mean_of(decoding, youngest) * (1 + math.log(slots)))
        steps = max(tokens / slots, last) if left else 0.0
        in_step, an_answer = _step_costs(facts)
        drawn = counts.seconds - counts.prompt_seconds - counts.asking_seconds
        drawn *= (in_step * steps + an_answer * tokens) / (in_step * max(1, counts.steps) + an_answer * counts.tokens)
        prompts = counts.prompt_seconds * (self._questions / max(1, self.started) - 1)
        beside = max(0.0, spent - counts.seconds) / max(1, self._questions - waiting)
        asking = counts.asking_seconds * (self._replies_wanted / self.replies - 1) if self.replies else 0.0
        return drawn + prompts + asking + waiting * beside


def _step_costs(facts: GeneratorFacts) -> tuple[float, float]:
    """Return what a step takes however many answers it advances, and what each of them adds; in any one unit."""
    full, single = facts.seconds_per_step, facts.seconds_per_single_step
    if full is None or single is None or facts.slots < 2:
        return 0.0, 1.0
    an_answer = max(0.0, full - single) / (facts.slots - 1)
    return max(0.0, single - an_answer), an_answer
