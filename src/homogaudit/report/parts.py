"""Lines, and tables of records: every figure has its row or column by its one definition. Knows no figure by name."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from homogaudit.report.figure import Figure, Written, figures, write
from homogaudit.report.numbers import MISSING, interval
from homogaudit.report.section import Axis, Column, Line, Row, Section, Table, Tone
from homogaudit.report.text import plain
from homogaudit.report.undefined import Undefined
from homogaudit.signals.registry import SIGNALS

INTERVAL = Column("95% interval", "interval")
SIGNAL = Column("signal", "uncertainty_signal")
_OF = Column("n", "n")
AUROC_AXIS = Axis(marks=(0.5,), label="0.5 is chance")


def line(text: str, term: str, tone: Tone = "", *, label: str = "", questions: str = "") -> Line:
    """Return a line whose text is made plain."""
    return Line(plain(text), term, label, tone, questions)


def notes(texts: Iterable[str], term: str) -> tuple[Line, ...]:
    """Return muted lines under one term."""
    return tuple(line(text, term, "muted") for text in texts)


def not_computed(key: str, title: str, term: str, reason: str) -> Section:
    """Return a section that says why there is nothing in it."""
    return Section(key, title, term, (line(f"Not computed: {reason}.", term),))


def by_reason(reasons: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    """Yield each reason once, after the names that have it, joined by commas."""
    joined: dict[str, list[str]] = {}
    for name, reason in reasons.items():
        joined.setdefault(reason, []).append(name)
    return ((", ".join(names), reason) for reason, names in joined.items())


def signal_term(name: str) -> str:
    """Return what explains a signal; a recorded one that the project does not know has no term of its own."""
    known = name.removeprefix("recorded:")
    return known if known in SIGNALS else "uncertainty_signal"


def text_table(columns: Sequence[Column], rows: Iterable[tuple[str, ...]], term: str, title: str = "") -> Table:
    """Return a table of texts whose rows have one term."""
    return Table(tuple(columns), tuple(Row(tuple(map(plain, cells)), term) for cells in rows), title)


def figure_table(record: Any, title: str = "", *, without: Sequence[str] = ()) -> Table:
    """Return a row a figure of a record: its name, value, interval, and what it is over."""
    rows: list[Row] = []
    for name, figure in figures(type(record)).items():
        if name not in without:
            found = write(figure, getattr(record, name))
            rows.append(Row((figure.name, found.value, found.interval, found.of), figure.term or name, found.reason))
    return Table((Column("figure"), Column("value", "value"), INTERVAL, _OF), tuple(rows), title)


def record_table(
    records: Mapping[str, Any],
    first: Column,
    paths: Sequence[str],
    *,
    title: str = "",
    term: Callable[[str], str] | None = None,
    mark: str = "",
    axis: Axis | None = None,
) -> Table:
    """Return a row a record and a column a figure of it.

    Args:
        records: By what the first column says.
        first: The heading of that column.
        paths: The figures, by the names of their fields; `auroc.p_holm` is a figure of a record within,
            `scr.interval` the interval of `scr`, `scr.of` what it is over.
        title: Above the table.
        term: What explains the row of a record, by its name; that of the first column where there is none.
        mark: The figure that is drawn beside each row.
        axis: What it is drawn on.
    """
    cells = {name: [_cell(record, path) for path in paths] for name, record in records.items()}
    # Where no record has the figure there is no column for it.
    headings = [next((x[at][0] for x in cells.values() if x[at][0]), None) for at in range(len(paths))]
    kept = [at for at, heading in enumerate(headings) if heading is not None]
    rows = tuple(
        Row(
            (plain(name), *(found[at][1] for at in kept)),
            first.term if term is None else term(name),
            next((found[at][2] for at in kept if found[at][2]), ""),
            mark=_written(records[name], mark)[1].span if mark else None,
        )
        for name, found in cells.items()
    )
    return Table((first, *(heading for heading in headings if heading is not None)), rows, title, axis)


def _cell(record: Any, path: str) -> tuple[Column | None, str, str]:
    """Return the heading, the text and the reason for a missing value of one figure."""
    place, _, part = path.rpartition(".")
    if part not in ("interval", "of"):
        place, part = path, ""
    column, found = _written(record, place)
    if part == "interval":
        return (INTERVAL if column else None), found.interval, found.reason
    if part == "of":
        return (_OF if column else None), found.of, found.reason
    return column, found.value, found.reason


def _written(record: Any, path: str) -> tuple[Column | None, Written]:
    """Return the heading and the text of a figure, which may lie in a record within."""
    column: Column | None = None
    figure, owner, value = Figure(""), record, record
    for name in path.split("."):
        if value is None or isinstance(value, Undefined):
            # What the heading would be, another record tells.
            return None, write(figure, value)
        own = figures(type(value)).get(name)
        if own is not None:
            figure, column = own, Column(own.name, own.term or name)
        owner, value = value, getattr(value, name)
    found = write(figure, value)
    if isinstance(value, float) and found.interval == MISSING and hasattr(owner, "low"):
        # The record of a figure with its interval beside it.
        found = replace(found, interval=interval(owner.low, owner.high, figure.places))
    return column, found
