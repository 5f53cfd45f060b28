"""The questions whose answers are many in one run and one in the other. Computes no figure."""

from homogaudit.comparison.pairing import PairedRun
from homogaudit.comparison.questions import clusters_of
from homogaudit.comparison.records import Flip


def flips(baseline: PairedRun, run: PairedRun, *, one: PairedRun) -> tuple[Flip, ...]:
    """Return the questions that have one cluster in `one` of two runs and several in the other.

    The more clusters there are in the other run, the earlier a question stands.
    """
    other = run if one is baseline else baseline
    single, several = one.outcomes.known_single(), other.outcomes.known_single()
    flipped = [x for x in one.question_ids if single.get(x) is True and several.get(x) is False]
    flipped.sort(key=lambda x: -len(set(other.clusters[x].assignment)))
    return tuple(Flip(x, one.sets[x].question.asked, clusters_of(baseline, x), clusters_of(run, x)) for x in flipped)
