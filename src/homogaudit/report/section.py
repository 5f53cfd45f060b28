"""What the report says, as data: sections of lines, tables and plots in reading order.

It knows no figure and no renderer: console, Markdown, screen and page draw it and word nothing of their own. All text
of others is plain here already, one line without terminal escapes; markup, colour and width are the renderer's matter.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Tone = Literal["", "good", "doubtful", "bad", "warning", "muted"]
"""How a renderer may colour it; the words say the same. A `warning` must not be missed, what is `muted` explains."""


@dataclass(frozen=True, slots=True)
class Line:
    """One sentence or remark.

    Attributes:
        term: What explains it, a term of the glossary.
        label: One word before it, such as `Signals`.
        questions: The questions that it speaks of, by the name of a filter of `question_rows`; empty for all of them.
    """

    text: str
    term: str
    label: str = ""
    tone: Tone = ""
    questions: str = ""


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of a histogram, as a share of the longest."""

    share: float


@dataclass(frozen=True, slots=True)
class Span:
    """A value on the axis of its table, with its interval where it has one."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Axis:
    """What the spans of a table are drawn on.

    Attributes:
        marks: Values that matter on it, such as 0.5 of an AUROC.
        label: What the marks are.
        percent: Whether its values read as per cent.
    """

    low: float = 0.0
    high: float = 1.0
    marks: tuple[float, ...] = ()
    label: str = ""
    percent: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """The heading of a column, and the term of the glossary that explains it; empty where it only names the rows."""

    name: str
    term: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of cells, as many as its table has columns.

    Attributes:
        term: What explains it, a term of the glossary.
        reason: Why figures in it are missing, empty where none is.
        mark: What is drawn beside it.
    """

    cells: tuple[str, ...]
    term: str
    reason: str = ""
    tone: Tone = ""
    mark: Bar | Span | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text, the first column to the left, the others to the right.

    Attributes:
        title: Above it, empty where the lines before say what it is.
        axis: Of the rows' spans; `None` where they have none.
    """

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    title: str = ""
    axis: Axis | None = None


@dataclass(frozen=True, slots=True)
class Curve:
    """One line of a plot; `low` and `high` bound a band around it and are empty where it has none."""

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Curves:
    """Lines on one pair of axes; y values are shares.

    Attributes:
        x_marks: Values of x that matter, such as the threshold in use.
        y_range: `None` for that of the lines.
    """

    title: str
    term: str
    curves: tuple[Curve, ...]
    x_label: str
    x_percent: bool = False
    x_marks: tuple[float, ...] = ()
    y_marks: tuple[float, ...] = ()
    y_range: tuple[float, float] | None = (0.0, 1.0)


@dataclass(frozen=True, slots=True)
class HeatMap:
    """A square of values from -1 to 1, one row and one column a name; `None` where a value does not exist."""

    title: str
    term: str
    names: tuple[str, ...]
    values: tuple[tuple[float | None, ...], ...]


Part = Line | Table | Curves | HeatMap


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the report.

    Attributes:
        key: Its name in links and on keys.
        term: What explains it.
        tone: Of its title.
    """

    key: str
    title: str
    term: str
    parts: tuple[Part, ...]
    tone: Tone = ""

    def terms(self) -> Iterator[str]:
        """Yield every term that it names, in reading order."""
        yield self.term
        for part in self.parts:
            if isinstance(part, Table):
                yield from (column.term for column in part.columns if column.term)
                yield from (row.term for row in part.rows)
            else:
                yield part.term

    def lines(self) -> Iterator[Line]:
        """Yield its lines."""
        yield from (part for part in self.parts if isinstance(part, Line))

    def tables(self) -> Iterator[Table]:
        """Yield its tables."""
        yield from (part for part in self.parts if isinstance(part, Table))
