"""From the folder of a sweep to its table: reads only, and gives what there is of one that was stopped."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import cast

from homogaudit.report.build import SEED
from homogaudit.report.level import level_of
from homogaudit.report.run_data import mean_estimates, rate, read_run
from homogaudit.report.undefined import Undefined
from homogaudit.statistics import DRAWS, Estimate
from homogaudit.store import RunFile
from homogaudit.sweep.axes import READ_KEYS, Axis, Setting, Value, read_settings
from homogaudit.sweep.choice import Found, choose
from homogaudit.sweep.folder import SweptRun, read_manifest
from homogaudit.sweep.measures import Measures, measure
from homogaudit.sweep.records import SettingFigures, Sweep, Trend


def build_sweep(folder: Path, *, draws: int = DRAWS, seed: int = SEED) -> Sweep:
    """Build the table of a sweep.

    Args:
        folder: Of the sweep; nothing is written.
        draws: Of every bootstrap.
        seed: Of everything random.

    Raises:
        RunFileError: It is no sweep, or a run file of it cannot be read.
    """
    manifest = read_manifest(folder)
    rows: list[SettingFigures] = []
    found: list[tuple[Setting, Measures]] = []
    models: list[str] = []
    source, questions = "", 0
    for swept in manifest.runs:
        with RunFile.open(folder / swept.file) as run:
            data = read_run(run)
            models.append(run.model)
            source, questions = run.question_source, len(data.sets)
            for reading in read_settings(manifest.axes):
                measured = measure(data, n=cast(int | None, reading.get("n")), threshold=_threshold(reading))
                setting = {**swept.setting, **reading}
                found.append((setting, measured))
                rows.append(_row(setting, swept, measured, draws, seed))
    main = _main_reading(manifest.axes, found)
    is_complete = all(row.status == "complete" for row in rows)
    numbers = [axis for axis in manifest.axes if axis.is_number and len(axis.values) > 1]
    compared = [(setting, measured) for setting, measured in found if _reading(setting) == main]
    return Sweep(
        folder=str(folder),
        status="complete" if is_complete else "started",
        models=tuple(dict.fromkeys(models)),
        question_source=source,
        questions=questions,
        axes=manifest.axes,
        clustering=next((x.method for _, x in found if x.method is not None), None),
        judge=next((x.judge for _, x in found if x.judge is not None), None),
        settings=_with_front(rows, main),
        trends=tuple(_trend(axis, found, draws, seed) for axis in numbers),
        choice=choose(compared, seed) if is_complete else Undefined("not every run is complete"),
    )


def _threshold(reading: Setting) -> float | None:
    value = reading.get("threshold")
    return None if value is None else float(value)


def _reading(setting: Setting) -> dict[str, Value]:
    """Return what of a setting is read from its run, and not drawn."""
    return {key: value for key, value in setting.items() if key in READ_KEYS}


def _main_reading(axes: Sequence[Axis], found: Found) -> dict[str, Value]:
    """Return the reading at which settings compare: the most samples, and the threshold that the runs were scored at.

    Numbers of clusters of different numbers of samples, or at different thresholds, do not compare.
    """
    main: dict[str, Value] = {}
    for axis in axes:
        if axis.key == "n":
            main["n"] = max(axis.values)
        elif axis.key == "threshold":
            own = next((x.threshold for _, x in found), None)
            main["threshold"] = own if own is not None and own in axis.values else axis.values[0]
    return main


def _row(setting: Setting, swept: SweptRun, found: Measures, draws: int, seed: int) -> SettingFigures:
    level_rate = found.outcomes.level_rate(found.missing)
    tables = {
        "mean_clusters": (found.clusters, found.missing),
        "sample_accuracy": (found.sample_accuracy, found.unlabelled),
        "correct_samples": (found.correct_samples, found.unlabelled),
        "mean_tokens": (found.tokens, "the tokens were not counted"),
    }
    means: dict[str, Estimate | Undefined] = {
        name: mean_estimates([list(values.values())], reason, draws=draws, seed=seed)[0]
        for name, (values, reason) in tables.items()
    }
    drawn = found.samples * len(found.correct_samples)
    return SettingFigures(
        setting=setting,
        file=swept.file,
        status="complete" if found.is_complete else "started",
        questions=found.questions,
        samples=found.samples,
        scr=found.outcomes.rate(found.missing),
        level_rate=level_rate,
        level=level_of(level_rate),
        accuracy=found.accuracy,
        labelled_samples=rate(found.labelled, drawn, found.unlabelled),
        drawing_seconds=Undefined("not measured") if found.seconds is None else found.seconds,
        undominated=None,
        **means,
    )


def _with_front(rows: Sequence[SettingFigures], main: Setting) -> tuple[SettingFigures, ...]:
    """Return the rows with those marked that are on the Pareto front of clusters and accuracy of samples."""
    points = {
        place: (row.mean_clusters.value, row.sample_accuracy.value)
        for place, row in enumerate(rows)
        if _reading(row.setting) == main
        and isinstance(row.mean_clusters, Estimate)
        and isinstance(row.sample_accuracy, Estimate)
    }
    # One alone is no front.
    if len(points) < 2:
        return tuple(rows)
    return tuple(
        replace(row, undominated=not any(_beats(other, points[place]) for other in points.values()))
        if place in points
        else row
        for place, row in enumerate(rows)
    )


def _beats(other: tuple[float, float], own: tuple[float, float]) -> bool:
    """Whether another point is at least as good in both, and not the same."""
    return other != own and other[0] >= own[0] and other[1] >= own[1]


def _trend(axis: Axis, found: Found, draws: int, seed: int) -> Trend:
    """Return the slopes over one key: least squares of each question, averaged over the questions."""
    values = [float(value) for value in axis.values]
    lines = _lines(axis.key, [setting for setting, _ in found])
    unlabelled = next((x.unlabelled for _, x in found if not x.sample_accuracy), "no question is judged everywhere")
    tables: dict[str, tuple[list[Mapping[str, float]], str]] = {
        "scr": ([x.outcomes.known_single() for _, x in found], "no question has clusters under every setting"),
        "sample_accuracy": ([x.sample_accuracy for _, x in found], unlabelled),
        "correct_samples": ([x.correct_samples for _, x in found], unlabelled),
    }
    span = max(values) - min(values)
    slopes = {name: _slope(table, lines, reason, draws, seed) for name, (table, reason) in tables.items()}
    return Trend(
        key=axis.key,
        lowest=min(values),
        highest=max(values),
        **{f"{name}_slope": slope for name, slope in slopes.items()},
        **{f"{name}_change": _times(slope, span) for name, slope in slopes.items()},
    )


def _lines(key: str, settings: Sequence[Setting]) -> list[tuple[float, int]]:
    """Return of each setting by what its value is multiplied so that the sum is the slope of least squares.

    Settings that differ in other keys too have a line of their own, all of the same slope; the place of the first one
    of the line stands beside.
    """
    rest = [{name: value for name, value in setting.items() if name != key} for setting in settings]
    firsts = [rest.index(own) for own in rest]
    means = {
        first: fmean(float(s[key]) for s, at in zip(settings, firsts, strict=True) if at == first) for first in firsts
    }
    centred = [float(s[key]) - means[first] for s, first in zip(settings, firsts, strict=True)]
    squares = sum(x * x for x in centred)
    return [(x / squares, first) for x, first in zip(centred, firsts, strict=True)]


def _slope(
    tables: Sequence[Mapping[str, float]], lines: Sequence[tuple[float, int]], reason: str, draws: int, seed: int
) -> Estimate | Undefined:
    questions = [name for name in tables[0] if all(name in table for table in tables)]
    # Measured from the first of each line, so that equal values have a slope of exactly 0.
    slopes = [
        sum(weight * (table[name] - tables[first][name]) for (weight, first), table in zip(lines, tables, strict=True))
        for name in questions
    ]
    return mean_estimates([slopes], reason, draws=draws, seed=seed)[0]


def _times(found: Estimate | Undefined, factor: float) -> Estimate | Undefined:
    if isinstance(found, Undefined):
        return found
    low, high = (None if end is None else factor * end for end in (found.low, found.high))
    return Estimate(factor * found.value, low, high, found.n)
