"""What a signal is: of one question (`Signal`) or of a whole run (`RunSignal`), with what it declares of itself.

Both are public: a third-party package makes one and names it in the entry point group `homogaudit.signals`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from homogaudit.signals.inputs import SignalInputs, Unavailable
from homogaudit.signals.run_inputs import RunInputs

BOUNDARIES: Mapping[str, str] = MappingProxyType(
    {
        "B1": "the model's own uncertainty",
        "B2": "how far the question lies from known ones",
        "B3": "time",
        "B4": "the combination of entities",
        "B5": "support by passages",
    }
)
"""What each boundary of arXiv 2603.24124 looks at."""

COST_CLASSES: Mapping[str, str] = MappingProxyType(
    {
        "free": "nothing beyond the greedy answer",
        "embed": "a sentence embedding",
        "call": "another call to the model",
        "samples": "N more answers",
        "nli": "entailment between texts",
    }
)
"""What one question costs, cheapest first."""

RESOURCES: Mapping[str, str] = MappingProxyType(
    {
        "greedy": "the greedy answer and its token statistics",
        "samples": "the N sampled answers and their token statistics",
        "answer_embeddings": "embeddings of the greedy answer and of the samples",
        "meaning": "embeddings of the samples with their question before them",
        "pair_scores": "entailment between the answers",
        "question_embedding": "the embedding of the question, and those of the reference pool",
        "call_p_true": "the call that asks the model whether its answer is true",
        "call_verbalized": "the call that asks the model how sure it is",
    }
)
"""What signals are computed from and share: a cascade pays each once, however many of its stages read it."""


@dataclass(frozen=True, slots=True)
class _Declared:
    """What every signal declares.

    Attributes:
        name: As in reports and on the command line.
        boundary: A key of `BOUNDARIES`.
        cost_class: A key of `COST_CLASSES`.
        needs: Keys of `NEEDS` (a `RunSignal`: of `RUN_NEEDS`), checked in this order.
        definition: What it is, with its formula.
        source: Where the definition comes from.
    """

    name: str
    boundary: str
    cost_class: str
    needs: tuple[str, ...]
    definition: str
    source: str

    @property
    def unit_cost(self) -> float:
        """Cost of one question in units: 0 where it is free, else 1, as published (arXiv 2603.24124)."""
        return 0.0 if self.cost_class == "free" else 1.0


@dataclass(frozen=True, slots=True)
class Signal(_Declared):
    """One uncertainty signal of one question.

    Attributes:
        compute: Its value on one question whose needs are met; raises `UndefinedStatisticError` where it has none.
        resources: Keys of `RESOURCES` that it reads.
        direction: 1 where a higher computed value is more uncertain; -1 where a lower one is: what is stored is turned.
    """

    compute: Callable[[SignalInputs], float]
    resources: frozenset[str] = frozenset({"greedy"})
    direction: int = 1


@dataclass(frozen=True, slots=True)
class RunSignal(_Declared):
    """One uncertainty signal that sees all questions of a run at once.

    Attributes:
        compute: Its values by question id where its needs are met, `Unavailable` with the reason where there is none.
        resources: Keys of `RESOURCES` that it reads.
        direction: As in `Signal`.
    """

    compute: Callable[[RunInputs], Mapping[str, float | Unavailable]]
    resources: frozenset[str] = frozenset()
    direction: int = 1


AnySignal = Signal | RunSignal
