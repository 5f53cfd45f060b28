"""What a model of meaning is asked about pairs of answers: how many, how long it takes, and what a server costs.

It asks nothing and loads no model.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from homogaudit.clustering.meanings import Meanings, expected_open, most_pairs
from homogaudit.events import JobJudge, Scoring
from homogaudit.launch.server_choice import ServerEstimate, estimate_comparing, estimate_tokens
from homogaudit.records import Decoding, Question
from homogaudit.report.numbers import duration
from homogaudit.store import RunFile


@dataclass(frozen=True, slots=True)
class Comparisons:
    """The pairs of answers of a run that a model is still to be asked about.

    Attributes:
        source: The model.
        most: If every pair is of two texts and the embedder leaves all of them open.
        expected: About so many as are open in other runs; exact where the embedder has read the answers.
        asked: Each question with its pairs at most, and the tokens of its longest answer.
    """

    source: JobJudge
    most: int
    expected: int
    asked: tuple[tuple[Question, int, int], ...]

    @property
    def cost(self) -> ServerEstimate | None:
        """What it asks of a server at most; `None` where the model is on none, or nothing is to be asked."""
        if self.source.kind != "server" or not self.most:
            return None
        return estimate_comparing(self.asked, self.source.prompt, self.source.price)

    def text(self, seconds_a_pair: float | None) -> str:
        """Return one line for people.

        Args:
            seconds_a_pair: As an earlier run with this model measured it, `None` where none did.
        """
        is_known = self.expected == self.most
        pairs = f"{'' if is_known else 'about '}{self.expected:,} pairs of answers"
        told = f"`{self.source.name}` compares {pairs} in both orders"
        if not is_known:
            told += f", {self.most:,} at most"
        if seconds_a_pair is None:
            return f"{told}; how long that takes is known once it has been asked on this machine"
        return f"{told}: about {duration(self.expected * seconds_a_pair)} at the speed of its last run here"


def planned_comparisons(scoring: Scoring, questions: Sequence[Question], decoding: Decoding) -> Comparisons | None:
    """Return what is asked about answers that are not drawn yet, `None` where no model is asked."""
    if scoring.meaning_source is None:
        return None
    pairs = most_pairs(decoding.samples)
    return Comparisons(
        scoring.meaning_source,
        len(questions) * pairs,
        expected_open(len(questions) * pairs),
        tuple((x, pairs, decoding.max_tokens) for x in questions),
    )


def stored_comparisons(scoring: Scoring, run: RunFile) -> Comparisons | None:
    """Return what is still to be asked about stored answers, `None` where no model is asked."""
    if scoring.meaning_source is None:
        return None
    meanings, asked, known, unread = Meanings(run, scoring), list[tuple[Question, int, int]](), 0, 0
    for sample_set in run.sample_sets(token_arrays=False):
        found = meanings.unasked(sample_set)
        if found is None:
            texts = list(dict.fromkeys(x.answer for x in sample_set.valid_samples))
            found = list(combinations(texts, 2))
            unread += most_pairs(len(sample_set.valid_samples)) if found else 0
        else:
            known += len(found)
        if found:
            longest = max(estimate_tokens(x) for pair in found for x in pair)
            asked.append((sample_set.question, len(found), longest))
    most = sum(pairs for _, pairs, _ in asked)
    return Comparisons(scoring.meaning_source, most, min(known + expected_open(unread), most), tuple(asked))


def with_comparisons(estimate: ServerEstimate | None, comparisons: Comparisons | None) -> ServerEstimate | None:
    """Return an estimate with what a model of meaning on a server is asked beside; `None` where no server is asked."""
    cost = comparisons.cost if comparisons is not None else None
    # A model on this machine costs nothing.
    return estimate if cost is None else replace(estimate or ServerEstimate(0, 0, 0, 0.0), comparing=cost)
