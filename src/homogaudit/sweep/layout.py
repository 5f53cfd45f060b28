"""A sweep as sections: the table of settings, what they cost, the trends, and the setting that may be named."""

from collections.abc import Mapping

from homogaudit.report.layout import SCR_AXIS
from homogaudit.report.numbers import count, percent, percent_and_interval
from homogaudit.report.parts import by_reason, line, notes, record_table, text_table
from homogaudit.report.section import Column, Line, Part, Section, Table
from homogaudit.report.text import shorten
from homogaudit.report.undefined import Undefined
from homogaudit.statistics import Estimate, Rate
from homogaudit.sweep.axes import Setting, Value, setting_text, value_text
from homogaudit.sweep.records import Choice, SettingFigures, Sweep, Trend

_NUMBERS = Column("setting", "sweep")
_CELL = 24
"""Characters of a value in a table."""


def sweep_sections(sweep: Sweep) -> tuple[Section, ...]:
    """Return the sections of a sweep in reading order."""
    return (_diversity(sweep), _accuracy(sweep), *_trends(sweep), _choice(sweep))


def _named(sweep: Sweep) -> tuple[Column, dict[str, SettingFigures]]:
    """Return the rows by what the first column says, and its heading: the values of the only key, else numbers."""
    if len(sweep.axes) == 1:
        key = sweep.axes[0].key
        rows = {_shown(row.setting[key]): row for row in sweep.settings}
        # Of two long ones the beginnings may be the same.
        if len(rows) == len(sweep.settings):
            return Column(key, "sweep"), rows
    return _NUMBERS, {str(number): row for number, row in enumerate(sweep.settings, 1)}


def _shown(value: Value) -> str:
    """Return a value as a cell: of a path its end, of a long text its beginning."""
    text = value_text(value)
    return shorten(text.rstrip("/").rpartition("/")[2] if isinstance(value, str) and " " not in text else text, _CELL)


def _short(sweep: Sweep, setting: Setting) -> str:
    """Return a setting as a sentence after another one names it."""
    first, rows = _named(sweep)
    name = next(name for name, row in rows.items() if row.setting == setting)
    return f"setting {name}" if first == _NUMBERS else name


def _keys(sweep: Sweep) -> list[Table]:
    """Return what the numbers of the settings mean; nothing where the rows are named by their values."""
    first, rows = _named(sweep)
    if first != _NUMBERS:
        return []
    keys = [axis.key for axis in sweep.axes]
    cells = [(name, *(_shown(row.setting[key]) for key in keys)) for name, row in rows.items()]
    return [text_table([first, *(Column(key, "sweep") for key in keys)], cells, "sweep")]


def _diversity(sweep: Sweep) -> Section:
    first, rows = _named(sweep)
    questions = f"{count(sweep.questions)} questions of `{sweep.question_source}`"
    parts: list[Part] = [line(f"{', '.join(sweep.models)}: {questions}, {count(len(rows))} settings", "sweep")]
    unfinished = sum(row.status != "complete" for row in sweep.settings)
    if unfinished:
        told = f"{count(unfinished)} of {count(len(rows))} settings are not complete: the same command goes on"
        parts.append(line(told, "sweep", "warning"))
    # Below ten questions a rate has no level and so no interval of the level.
    is_judged = any(isinstance(row.level_rate, Rate) for row in rows.values())
    interval = "level_rate.interval" if is_judged else "scr.interval"
    parts += _keys(sweep)
    paths = ("scr", interval, "scr.of", "level", "mean_clusters", "undominated")
    mark = "level_rate" if is_judged else "scr"
    parts.append(record_table(rows, first, paths, mark=mark, axis=SCR_AXIS))
    told = [f"Clusters by `{sweep.clustering}`."] if sweep.clustering else []
    told += _missing(rows, "scr")
    return Section("sweep", "Settings", "sweep", (*parts, *notes(told, "clustering")))


def _accuracy(sweep: Sweep) -> Section:
    first, rows = _named(sweep)
    of_labelled = ("accuracy", "accuracy.interval", "sample_accuracy", "sample_accuracy.interval")
    of_all = ("correct_samples", "correct_samples.interval", "labelled_samples", "mean_tokens", "drawing_seconds")
    tables = record_table(rows, first, of_labelled), record_table(rows, first, of_all)
    told = [f"Judged by `{sweep.judge}`."] if sweep.judge else []
    told += _missing(rows, "sample_accuracy")
    return Section("accuracy", "Accuracy and cost", "sample_accuracy", (*tables, *notes(told, "judge")))


def _missing(rows: Mapping[str, SettingFigures | Trend], figure: str) -> list[str]:
    """Return why a figure is missing, each reason once."""
    found = {name: getattr(row, figure) for name, row in rows.items()}
    reasons = {name: value.reason for name, value in found.items() if isinstance(value, Undefined)}
    if len(reasons) == len(rows) and len(set(reasons.values())) == 1:
        return [f"None: {next(iter(reasons.values()))}."]
    return [f"None of {names}: {reason}." for names, reason in by_reason(reasons)]


def _trends(sweep: Sweep) -> tuple[Section, ...]:
    if not sweep.trends:
        return ()
    rows = {f"{x.key} {value_text(x.lowest)} to {value_text(x.highest)}": x for x in sweep.trends}
    parts: list[Part] = []
    for figure in ("scr_change", "sample_accuracy_change", "correct_samples_change"):
        paths = (figure, f"{figure}.interval", f"{figure}.of")
        parts += [record_table(rows, Column("key", "trend"), paths), *notes(_missing(rows, figure), "trend")]
    note = "Along the line of least squares of each question; intervals by a bootstrap of the questions."
    return (Section("trend", "Trend", "trend", (*parts, line(note, "trend", "muted"))),)


def _choice(sweep: Sweep) -> Section:
    found = sweep.choice
    if isinstance(found, Undefined):
        parts: tuple[Line, ...] = (line(f"No setting is named: {found.reason}.", "recommended_setting"),)
        return Section("choice", "Which setting", "recommended_setting", parts)
    name = setting_text(found.setting)
    halves = f"chosen on {count(found.chosen_on)} questions, tested on {count(found.tested_on)} others"
    if found.recommended:
        text = f"{name} has the most clusters without a loss of accuracy: {halves}."
        lines = [line(text, "recommended_setting", "good"), *_tested(sweep, found)]
    else:
        text = (
            f"No setting is named: {name} has the most clusters of those that seem to lose no accuracy, and is not "
            f"shown to lose less than {percent(found.margin)}."
        )
        lines = [line(text, "recommended_setting", "doubtful"), *_tested(sweep, found)]
        lines.append(line(f"It was {halves}; more questions make the bound tighter.", "recommended_setting", "muted"))
    return Section("choice", "Which setting", "recommended_setting", tuple(lines))


def _tested(sweep: Sweep, found: Choice) -> list[Line]:
    """Return the figures of the second half."""
    own = [f"SCR {percent_and_interval(found.scr)}"]
    if isinstance(found.sample_accuracy, Estimate):
        own.append(f"sample accuracy {percent(found.sample_accuracy.value)}")
    lost = [
        f"{what} {percent(x.value)}, at most {percent(x.high)}, against {_short(sweep, x.against)}"
        for what, x in (("of accuracy", found.loss), ("of correct samples", found.loss_of_correct))
    ]
    return [
        line(f"On the second half: {', '.join(own)}.", "recommended_setting"),
        line(f"Loss {'; '.join(lost)}.", "upper_bound"),
    ]
