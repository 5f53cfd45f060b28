"""What the screens show of a stored run."""

from collections.abc import Callable
from pathlib import Path

from homogaudit.events import Job
from homogaudit.records import Clustering, ClusteringMethod, Generation, GenerationState, Interval
from homogaudit.report.level import LEVEL_STARTS
from homogaudit.statistics.decision_sequence import confidence_sequence
from homogaudit.store import RunFile
from homogaudit.tui.session import read_reducer

JACCARD = ClusteringMethod("jaccard", "single", 0.4)


def test_a_stored_run_that_stops_once_it_is_decided_shows_its_sequence(make_job: Callable[..., Job]):
    path = Path(make_job(samples=2).run)
    singles = [position % 4 != 3 for position in range(10)]
    with RunFile.open(path, writable=True) as run:
        for question, single in zip(run.questions(), singles, strict=False):
            for index in range(2):
                run.add_generation(Generation(question.id, index, "a", "a", GenerationState.VALID))
            run.add_clusterings([Clustering(question.id, JACCARD, (0, 0) if single else (0, 1))])
    assert read_reducer(path, scored=True).snapshot().deciding is None
    with RunFile.open(path, writable=True) as run:
        run.set_meta("parameters", {**run.parameters, "until_decided": {"max_scr": None, "seed": 0}})
    shown = read_reducer(path, scored=True).snapshot().deciding
    assert shown is not None
    assert Interval(shown.low, shown.high) == confidence_sequence(singles, singles, LEVEL_STARTS)
    assert (shown.questions, shown.of, shown.left) == (10, 12, ("severe",))
    # An engine that starts tells it itself.
    assert read_reducer(path, scored=False).snapshot().deciding is None
