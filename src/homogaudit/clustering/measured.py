"""How well each clustering tells meaning apart, as it was measured on the packaged pairs of answers for this version.

Read from `measured.json`, which `python -m homogaudit.launch.pair_measures` writes.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from homogaudit.records import ClusteringMethod

PATH = Path(__file__).with_name("measured.json")

Numbers = tuple[float, float | None, float | None, int]
"""A value, the ends of its 95% interval over whole subjects, and over how many pairs it is."""


@dataclass(frozen=True, slots=True)
class MeasuredClustering:
    """What the pairs say of one clustering.

    Attributes:
        auroc: Probability that a pair of one meaning is more similar than one of different meanings.
        false_merges: Share of the pairs of different meaning that join, `None` at another threshold than the measured.
        false_splits: Share of the pairs of one meaning that do not, `None` as above.
        threshold: The one that was fitted to the pairs, `None` where none was; it does not depend on the one in use.
    """

    auroc: Numbers
    false_merges: Numbers | None
    false_splits: Numbers | None
    threshold: Numbers | None = None


@lru_cache(maxsize=1)
def _rows() -> tuple[Mapping[str, Any], ...]:
    return tuple(json.loads(PATH.read_text(encoding="utf-8"))["measured"])


def measured_clustering(method: ClusteringMethod, pairs: str = "all") -> MeasuredClustering | None:
    """Return what was measured of a clustering, `None` where it was not.

    Args:
        method: Its similarity and the files of its embedder are looked up; a single pair has no linkage.
        pairs: `all`, or `run` for those from real runs alone.
    """
    embedder = (method.embedder or "").partition("#")[2]
    for row in _rows():
        if (row["clustering"], row["embedder"], row["pairs"]) == (method.similarity, embedder, pairs):
            at_threshold = row["threshold"] == method.threshold
            return MeasuredClustering(
                tuple(row["auroc"]),
                tuple(row["false_merges"]) if at_threshold else None,
                tuple(row["false_splits"]) if at_threshold else None,
                tuple(found) if (found := row.get("threshold_interval")) is not None else None,
            )
    return None
