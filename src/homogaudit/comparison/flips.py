"""The questions whose answers are many in one run and one in the other. Computes no figure."""

from collections import Counter

from homogaudit.comparison.pairing import PairedRun
from homogaudit.comparison.records import Cluster, Flip


def flips(baseline: PairedRun, run: PairedRun, *, one: PairedRun) -> tuple[Flip, ...]:
    """Return the questions that have one cluster in `one` of two runs and several in the other.

    The more clusters there are in the other run, the earlier a question stands.
    """
    other = run if one is baseline else baseline
    single, several = one.outcomes.known_single(), other.outcomes.known_single()
    flipped = [x for x in one.question_ids if single.get(x) is True and several.get(x) is False]
    flipped.sort(key=lambda x: -len(set(other.clusters[x].assignment)))
    return tuple(Flip(x, one.sets[x].question.asked, _clusters(baseline, x), _clusters(run, x)) for x in flipped)


def _clusters(run: PairedRun, question_id: str) -> tuple[Cluster, ...]:
    """Return the clusters of a question's answers, the largest first; equal ones as they were drawn."""
    texts: dict[int, list[str]] = {}
    answers = [sample.answer for sample in run.sets[question_id].valid_samples]
    for answer, cluster in zip(answers, run.clusters[question_id].assignment, strict=True):
        texts.setdefault(cluster, []).append(answer)
    found = sorted(texts.values(), key=len, reverse=True)
    return tuple(Cluster(Counter(own).most_common(1)[0][0], len(own)) for own in found)
