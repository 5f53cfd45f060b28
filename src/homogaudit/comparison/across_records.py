"""Whether models are one: how alike their answers are to each other's, as frozen records; they compute nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from homogaudit.codec import Count
from homogaudit.report.figure import Figure
from homogaudit.report.undefined import Undefined
from homogaudit.statistics import Estimate, Rate

_HIVEMIND = "arXiv 2510.22954, Artificial Hivemind"


@dataclass(frozen=True, slots=True)
class AcrossRun:
    """The answers of one run among themselves."""

    similarity_within: Annotated[
        Estimate,
        Figure(
            "similarity within",
            "Mean cosine of two answers of one model to the same question, averaged over questions.",
            unit="-1 to 1",
            source=_HIVEMIND,
        ),
    ]


@dataclass(frozen=True, slots=True)
class AcrossPair:
    """The answers of one run beside those of another.

    Attributes:
        first: Name of the one.
        second: Name of the other.
    """

    first: str
    second: str
    similarity_between: Annotated[
        Estimate,
        Figure(
            "similarity between",
            "Mean cosine of an answer of one model and an answer of another to the same question, averaged over "
            "questions, and over pairs of models where it is of all.",
            unit="-1 to 1",
            source=_HIVEMIND,
        ),
    ]
    same_leading_answer: Annotated[
        Rate,
        Figure(
            "same leading answer",
            "Questions on which models give most often the same answer: the answers of all of them are clustered "
            "together, and the largest cluster of each is one.",
        ),
    ]
    all_wrong: Annotated[
        Rate | Undefined,
        Figure(
            "all wrong",
            "Questions that every one of the models answers wrongly, over those that the judge labels correct or "
            "incorrect for each; by the greedy answers.",
        ),
    ]
    shared_errors: Annotated[
        Rate | Undefined,
        Figure(
            "shared errors",
            "Questions on which the models are wrong and say the same, over those on which all are wrong: asking "
            "another of them finds none of these errors. By the greedy answers, the same where they form one cluster.",
        ),
    ]


@dataclass(frozen=True, slots=True)
class SharedAnswer:
    """A question on which all models say the same.

    Attributes:
        question_id: Of the question.
        question: As it was asked.
        answer: What they say, in the words of one of them.
    """

    question_id: str
    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class Across:
    """Whether the models of a comparison are one, by the stored embeddings of their answers.

    Attributes:
        embedder: Its key.
        threshold: Cosine from which answers are the same, of the clustering by embedding.
        questions: Those whose samples all hold an answer in every run.
        runs: By name.
        pairs: Every two runs, in the order of the runs.
        same: The questions on which all answers of all models form one cluster.
        errors: Those on which all greedy answers are wrong and form one cluster.
    """

    embedder: str
    threshold: float
    questions: Count
    runs: Mapping[str, AcrossRun]
    pairs: tuple[AcrossPair, ...]
    similarity_within: Annotated[Estimate, Figure("similarity within")]
    similarity_between: Annotated[Estimate, Figure("similarity between")]
    excess: Annotated[
        Estimate,
        Figure(
            "more alike within",
            "Similarity within models minus similarity between them, over the same questions: 0 where another model "
            "says what a second draw of the same would.",
            unit="-2 to 2",
            source=_HIVEMIND,
        ),
    ]
    one_answer: Annotated[
        Rate,
        Figure(
            "all say the same",
            "Questions on which all answers of all models form one cluster.",
        ),
    ]
    same_leading_answer: Annotated[Rate, Figure("same leading answer")]
    all_wrong: Annotated[Rate | Undefined, Figure("all wrong")]
    shared_errors: Annotated[Rate | Undefined, Figure("shared errors")]
    same: tuple[SharedAnswer, ...]
    errors: tuple[SharedAnswer, ...]
