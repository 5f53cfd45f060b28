"""What a section of the report is made of: lines, tables of text, small plots. It knows no figure and no formatter."""

from dataclasses import dataclass

__all__ = ["Bar", "Plot", "Section", "Span", "Table"]


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of a histogram, as a share of the longest."""

    share: float


@dataclass(frozen=True, slots=True)
class Span:
    """An interval between 0 and 1 with its value."""

    value: float
    low: float | None
    high: float | None


Plot = Bar | Span


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text, the first column to the left, the others to the right.

    Attributes:
        plots: One small plot a row, or nothing at all.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    plots: tuple[Plot, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the report.

    Attributes:
        warnings: Lines that must not be missed; they come first.
        lines: Said before the tables.
        notes: Said after them.
    """

    title: str
    warnings: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    notes: tuple[str, ...] = ()
