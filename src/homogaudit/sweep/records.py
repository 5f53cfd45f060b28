"""A sweep as frozen records: a row a setting, the trends, and the setting that may be named. They compute nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from homogaudit.codec import STRICT, Count, Signed
from homogaudit.report.figure import Figure
from homogaudit.report.level import Level
from homogaudit.report.numbers import duration, p_value, percent
from homogaudit.report.undefined import Undefined
from homogaudit.statistics import Estimate, Rate
from homogaudit.sweep.axes import Axis, Value

FORMAT: Literal["homogaudit.sweep/1"] = "homogaudit.sweep/1"


@dataclass(frozen=True, slots=True)
class SettingFigures:
    """What one setting gives.

    Attributes:
        setting: A value a key.
        file: The run file in the folder that it is read from.
        status: Of that run.
        questions: Of the run whose draws are all stored.
        samples: N.
        level_rate: SCR with the interval that the level goes by.
        undominated: Among the settings at the largest N and the threshold of the runs; `None` for the others.
    """

    setting: Mapping[str, Value]
    file: str
    status: Literal["started", "complete"]
    questions: Count
    samples: Count
    scr: Annotated[Rate | Undefined, Figure("SCR")]
    level_rate: Annotated[Rate | Undefined, Figure("SCR", term="scr")]
    level: Annotated[Level, Figure("level")]
    mean_clusters: Annotated[Estimate | Undefined, Figure("mean clusters", places=2)]
    accuracy: Annotated[Rate | Undefined, Figure("greedy accuracy", term="accuracy")]
    sample_accuracy: Annotated[Estimate | Undefined, Figure("sample accuracy", written=percent)]
    correct_samples: Annotated[Estimate | Undefined, Figure("correct samples", written=percent)]
    labelled_samples: Annotated[Rate | Undefined, Figure("labelled samples")]
    mean_tokens: Annotated[Estimate | Undefined, Figure("tokens", term="mean_tokens", places=1)]
    drawing_seconds: Annotated[float | Undefined, Figure("drawing", written=duration)]
    undominated: Annotated[bool | None, Figure("undominated")]


@dataclass(frozen=True, slots=True)
class Trend:
    """What one key with numbers does, over the questions that every setting has.

    The line has one slope, and a height of its own for every value of the other keys.

    Attributes:
        lowest: Value of the key.
        highest: Value of the key.
        scr_slope: Of SCR, for one more of the key.
        sample_accuracy_slope: Of the accuracy of samples, for one more of the key.
        correct_samples_slope: Of the share of correct samples, for one more of the key.
        scr_change: Of SCR from the lowest to the highest value, along the line.
        sample_accuracy_change: Of the accuracy of samples, likewise.
        correct_samples_change: Of the share of correct samples, likewise.
    """

    key: str
    lowest: float
    highest: float
    scr_slope: Estimate | Undefined
    sample_accuracy_slope: Estimate | Undefined
    correct_samples_slope: Estimate | Undefined
    scr_change: Annotated[Estimate | Undefined, Figure("change of SCR", written=percent)]
    sample_accuracy_change: Annotated[Estimate | Undefined, Figure("change of sample accuracy", written=percent)]
    correct_samples_change: Annotated[Estimate | Undefined, Figure("change of correct samples", written=percent)]


@dataclass(frozen=True, slots=True)
class Loss:
    """What a setting loses against the other one that is most likely to do better than it by more than the margin.

    Attributes:
        against: That setting.
        high: Upper end of the one-sided 95% interval.
        p: One-sided, of a loss of the margin or more.
        n: Questions.
    """

    against: Mapping[str, Value]
    value: Annotated[Signed, Figure("loss", written=percent)]
    high: Annotated[Signed, Figure("at most", term="upper_bound", written=percent)]
    p: Annotated[float, Figure("p", written=p_value)]
    n: Annotated[Count, Figure("n")]


@dataclass(frozen=True, slots=True)
class Choice:
    """The setting of most clusters that seems to lose no accuracy on one half of the questions, tested on the other.

    Attributes:
        chosen_on: Questions of the first half.
        tested_on: Questions of the second half, which all figures here are over.
        margin: What may be lost.
        loss: Of the accuracy of samples.
        loss_of_correct: Of the share of correct samples among all.
        recommended: Whether both losses are shown to stay under the margin.
    """

    setting: Mapping[str, Value]
    chosen_on: Count
    tested_on: Count
    margin: float
    scr: Annotated[Rate, Figure("SCR")]
    mean_clusters: Annotated[Estimate | Undefined, Figure("mean clusters", places=2)]
    sample_accuracy: Annotated[Estimate | Undefined, Figure("sample accuracy", written=percent)]
    loss: Loss
    loss_of_correct: Loss
    recommended: bool


@dataclass(frozen=True, slots=True)
class Sweep:
    """Runs of the same questions under several settings.

    Attributes:
        folder: Where the run files lie.
        status: Whether every run is complete.
        models: Their names.
        question_source: Name of the question file.
        questions: Of the file.
        axes: What is varied.
        clustering: The clustering that the verdict of each run reads; `None` where nothing is clustered yet.
        judge: Whose labels count, `None` without any.
        settings: A row each.
        trends: One a key with several numbers.
        choice: The setting that may be named.
    """

    folder: str
    status: Literal["started", "complete"]
    models: tuple[str, ...]
    question_source: str
    questions: Count
    axes: tuple[Axis, ...]
    clustering: str | None
    judge: str | None
    settings: tuple[SettingFigures, ...]
    trends: tuple[Trend, ...]
    choice: Choice | Undefined
    schema: Literal["homogaudit.sweep/1"] = field(default=FORMAT, kw_only=True)

    __pydantic_config__ = STRICT
