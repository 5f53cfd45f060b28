"""Protocols as sections: a table of published and measured figures, and what differs. Draws nothing."""

from collections.abc import Sequence

from homogaudit.protocols.protocol import Published
from homogaudit.protocols.records import Measured, ProtocolFigure, ProtocolResult
from homogaudit.report.numbers import MISSING, count, decimal, interval, percent, percent_interval, share
from homogaudit.report.parts import INTERVAL, by_reason, line, notes
from homogaudit.report.section import Column, Row, Section, Table
from homogaudit.report.text import plain
from homogaudit.report.undefined import Undefined

_TERM = "protocol"
_COLUMNS = (
    Column("figure"),
    Column("published", "published"),
    Column("measured", "value"),
    INTERVAL,
    Column("n", "n"),
    Column("agrees", "agrees"),
)


def result_section(result: ProtocolResult) -> Section:
    """Return what one protocol gave."""
    reasons = {x.name: x.measured.reason for x in result.figures if isinstance(x.measured, Undefined)}
    remarks = {x.name: x.differs for x in result.figures if x.differs}
    sources = {x.name: _published(x.published) for x in result.figures if x.published is not None}
    return Section(
        result.name,
        plain(f"{_numbers(result.experiments)}. {result.title} ({result.name})"),
        _TERM,
        (
            line(result.question, _TERM),
            line(f"Published with {result.published_with}.", "published", "muted"),
            Table(_COLUMNS, tuple(_row(figure) for figure in result.figures)),
            *(line(missing, _TERM, "warning") for missing in result.missing),
            *notes((f"not measured: {names}: {reason}" for names, reason in by_reason(reasons)), _TERM),
            *notes((f"published: {source}: {names}" for names, source in by_reason(sources)), "published"),
            *notes((f"{name}: {remark}" for name, remark in remarks.items()), "published"),
            *notes((f"differs here: {text}" for text in result.differs), "published"),
        ),
    )


def _numbers(experiments: Sequence[int]) -> str:
    return ", ".join(map(str, experiments))


def _row(figure: ProtocolFigure) -> Row:
    written = percent if figure.percent else decimal
    between = percent_interval if figure.percent else interval
    published = MISSING if figure.published is None else written(figure.published.value)
    agrees = {True: "yes", False: "no", None: MISSING}[figure.agrees]
    measured = figure.measured
    if not isinstance(measured, Measured):
        return Row((plain(figure.name), published, MISSING, MISSING, MISSING, agrees), _TERM, plain(measured.reason))
    of = MISSING if measured.n is None else count(measured.n) if measured.k is None else share(measured.k, measured.n)
    is_count = measured.low is None and not figure.percent and measured.value > 1 and measured.value.is_integer()
    value = count(int(measured.value)) if is_count else written(measured.value)
    return Row((plain(figure.name), published, value, between(measured.low, measured.high), of, agrees), _TERM)


def _published(found: Published) -> str:
    return f"{found.model}{'' if found.n is None else f', n {count(found.n)}'}; {found.source}"
