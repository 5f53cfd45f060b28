"""What a signal of a whole run reads: all its questions at once, and what of it is missing."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from homogaudit.clustering.entailment import PairScores
from homogaudit.records import Generation, Question
from homogaudit.signals.entities import entities

Embed = Callable[[Sequence[str]], NDArray[np.floating]]
"""n texts to (n, d) rows whose cosine is their similarity, for example `Embedder.embed`."""


@dataclass(frozen=True, slots=True, eq=False)
class ReferencePool:
    """The known questions that `density` measures against.

    Attributes:
        texts: m questions.
        embeddings: (m, d) of them, by the embedder of the run's questions.
    """

    texts: Sequence[str]
    embeddings: NDArray[np.floating]


@dataclass(frozen=True, slots=True, eq=False)
class RunInputs:
    """Everything that the signals of a whole run read.

    Attributes:
        questions: All questions of the run.
        greedy: The greedy answers by question id.
        question_embeddings: (questions, d) in their order, `None` where they were not embedded.
        reference: The pool of known questions; `None` for the other questions of the run.
        cutoff: The last day that the model's training data can know of, `None` where it is not known.
        run_date: The day on which the run began: what "current" means. Without it such questions have no freshness.
        embed: Embeds what is not stored (entities, passages, answers), `None` where there is no embedder.
        pair_scores: Of an NLI model, `None` where there is none.
        extract_entities: The entities of a text.
    """

    questions: Sequence[Question]
    greedy: Mapping[str, Generation] = field(default_factory=dict[str, Generation])
    question_embeddings: NDArray[np.floating] | None = None
    reference: ReferencePool | None = None
    cutoff: date | None = None
    run_date: date | None = None
    embed: Embed | None = None
    pair_scores: PairScores | None = None
    extract_entities: Callable[[str], Sequence[str]] = entities


def _no_question_embeddings(inputs: RunInputs) -> str | None:
    return "the questions were not embedded" if inputs.question_embeddings is None else None


def _no_cutoff(inputs: RunInputs) -> str | None:
    return "the model's training cutoff is not known" if inputs.cutoff is None else None


def _no_embedder(inputs: RunInputs) -> str | None:
    return "there is no embedder" if inputs.embed is None else None


def _no_support(inputs: RunInputs) -> str | None:
    return _no_embedder(inputs) if inputs.pair_scores is None else None


RUN_NEEDS: Mapping[str, Callable[[RunInputs], str | None]] = MappingProxyType(
    {
        "question_embeddings": _no_question_embeddings,
        "training_cutoff": _no_cutoff,
        "embedder": _no_embedder,
        "embedder_or_nli": _no_support,
    }
)
"""What a signal of a run may need: a check that returns why it is missing, `None` where it is there."""
