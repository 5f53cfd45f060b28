"""The analyses of the labelled questions as sections of lines and tables: a line or a short table each, more with full.

All text of others is plain here already. A section that was not asked for is left out; one without figures says why.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from homogaudit.records import Interval
from homogaudit.report.analysis_records import (
    Agreements,
    BoundaryPair,
    CalibratedBy,
    Calibration,
    Categories,
    Comparisons,
    CoverageFigures,
    Dependences,
    FlagAgreement,
    Selective,
    SignalCategories,
    SignalCorrelation,
    SignalDifference,
    SignalSelective,
)
from homogaudit.report.numbers import (
    MISSING,
    NO_CORRELATION_INTERVAL,
    count,
    decimal,
    interval,
    p_value,
    percent,
    percent_interval,
    share,
)
from homogaudit.report.numbers import threshold as written_threshold
from homogaudit.report.records import Report
from homogaudit.report.section import Section, Table
from homogaudit.report.text import plain
from homogaudit.report.undefined import WITH_FULL, Undefined
from homogaudit.statistics import COVERAGES

__all__ = ["analysis_sections"]

_Figures = TypeVar("_Figures")


def analysis_sections(report: Report, *, full: bool) -> tuple[Section, ...]:
    """Return the sections in reading order.

    Args:
        report: The report.
        full: Whether to add the tables of every signal; the other sections are there if they were built.
    """
    found = (
        _section("Differences", report.comparisons, lambda x: _comparisons(x, full=full), full=full),
        _section(
            "Selective prediction",
            report.selective,
            lambda x: _selective(x, report.verdict.signal, full=full),
            full=full,
        ),
        _section("Agreement", report.agreement, _agreement, full=full),
        _section("Categories", report.categories, _categories, full=full),
        _section("Calibration", report.calibration, _calibration, full=full),
        _section("Dependence", report.dependence, _dependence, full=full),
    )
    return tuple(section for section in found if section is not None)


def _section(
    title: str, figures: _Figures | Undefined, lay_out: Callable[[_Figures], Section], *, full: bool
) -> Section | None:
    if isinstance(figures, Undefined):
        # In the short report the sections before have said that there are no labels.
        return Section(title, lines=_plain([f"Not computed: {figures.reason}."])) if _is_said(figures, full) else None
    return lay_out(figures)


def _is_said(figures: Undefined, full: bool) -> bool:
    return full and figures != WITH_FULL


def _plain(lines: Iterable[str]) -> tuple[str, ...]:
    return tuple(plain(line) for line in lines)


def _defined(signals: Mapping[str, _Figures | Undefined]) -> dict[str, _Figures]:
    return {name: x for name, x in signals.items() if not isinstance(x, Undefined)}


def _between(found: Interval | None) -> str:
    return MISSING if found is None else interval(found.low, found.high)


def _comparisons(found: Comparisons, *, full: bool) -> Section:
    """Return which signals differ from the primary one."""
    compared: dict[str, SignalDifference] = _defined(found.signals)
    title = "Differences"
    if not compared:
        return Section(title, lines=_plain([f"No other signal can be compared with {found.primary_signal}."]))
    lines = [f"AUROC against that of {found.primary_signal}, {count(len(compared))} signals (paired DeLong, Holm):"]
    readings = {
        "higher": "higher",
        "lower": "lower",
        "equivalent": f"equivalent within {found.margin:g}",
        "not shown to differ": "not shown to differ",
    }
    for reading, words in readings.items():
        names = [name for name, x in compared.items() if x.reading == reading]
        if names:
            listed = f": {', '.join(names)}" if reading in ("higher", "lower") else ""
            lines.append(f"{words}: {count(len(names))}{listed and f' ({listed[2:]})'}")
    tables: list[Table] = []
    if full:
        columns = ("signal", "delta", "95% interval", "adj. p", "equal p", "n")
        rows = tuple(
            (
                plain(name),
                decimal(x.delta),
                interval(x.low, x.high),
                p_value(x.p_holm),
                p_value(x.p_equivalent),
                count(x.n),
            )
            for name, x in compared.items()
        )
        tables.append(Table(columns, rows))
    notes = [f"Equal p: of a difference of {found.margin:g} or more (two one-sided tests)."] if full else []
    return Section(title, lines=_plain(lines), tables=tuple(tables), notes=_plain(notes))


def _selective(found: Selective, recommended: str | None, *, full: bool) -> Section:
    """Return how accurate the surest answers are by each signal."""
    scored: dict[str, SignalSelective] = _defined(found.signals)
    shown = {name: x for name, x in scored.items() if full or name in found.leading}
    rows = tuple(
        (plain(name), *(_accuracy(x) for x in figures.accuracy_at), *_areas(figures)) for name, figures in shown.items()
    )
    columns = ("signal", *(f"{coverage:.0%}" for coverage in COVERAGES), "AURC", "PRR")
    lines = ["Accuracy on the share of the questions that a signal is surest of:"]
    tables = [Table(columns, rows)]
    notes = ["PRR: 1 for a perfect order, 0 for a random one. AURC: mean error rate over all shares."]
    if not full and len(scored) > len(shown):
        notes.append(f"The primary, the recommended and the best signals; {count(len(scored))} with `--full`.")
    leading = {name: x for name, x in scored.items() if name in found.leading}
    named = recommended or found.leading[0]
    tables.append(_thresholds(leading if full else {name: x for name, x in leading.items() if name == named}))
    if full:
        tables += [_area_intervals(leading), _curves(leading)]
        notes += _bounds(found, scored)
    notes.append("Threshold: of the values as stored; tied questions are accepted, so the share can be larger.")
    return Section("Selective prediction", lines=_plain(lines), tables=tuple(tables), notes=_plain(notes))


def _accuracy(found: CoverageFigures | Undefined) -> str:
    return MISSING if isinstance(found, Undefined) else percent(found.accuracy)


def _areas(figures: SignalSelective) -> tuple[str, str]:
    return decimal(figures.aurc), decimal(figures.prr)


def _thresholds(signals: Mapping[str, SignalSelective]) -> Table:
    rows = tuple(
        (
            plain(name),
            f"{x.coverage:.0%}",
            written_threshold(x.threshold),
            percent(x.accuracy),
            percent_interval(x.low, x.high),
        )
        for name, figures in signals.items()
        for x in figures.accuracy_at
        if not isinstance(x, Undefined)
    )
    return Table(("signal", "share", "threshold", "accuracy", "95% interval"), rows)


def _area_intervals(signals: Mapping[str, SignalSelective]) -> Table:
    rows = tuple((plain(name), _between(x.aurc_interval), _between(x.prr_interval)) for name, x in signals.items())
    return Table(("signal", "AURC", "PRR"), rows)


def _curves(signals: Mapping[str, SignalSelective]) -> Table:
    """Return the risk at every fifth of the questions; more columns would not fit."""
    rows: list[tuple[str, ...]] = []
    for name, figures in signals.items():
        if isinstance(figures.curve, Undefined):
            continue
        points = figures.curve
        fifths = [points[max(0, round(len(points) * fifth / 5) - 1)] for fifth in range(1, 6)]
        rows.append((plain(name), *(percent(point.risk) for point in fifths)))
    return Table(("errors among the first", "20%", "40%", "60%", "80%", "100%"), tuple(rows))


def _bounds(found: Selective, signals: Mapping[str, SignalSelective]) -> list[str]:
    """Return the thresholds that keep the target risk, or that no signal has one."""
    target = f"a risk of {percent(found.target_risk)} (probability {percent(1 - found.delta_risk)})"
    lines: list[str] = []
    for name, figures in signals.items():
        bound = figures.risk_bound
        if not isinstance(bound, Undefined):
            held = f"{share(bound.held_out.k, bound.held_out.n)} wrong on the other half"
            accepted = percent(bound.accepted_share.value)
            lines.append(f"{name}: threshold {written_threshold(bound.threshold)} keeps {target}; {accepted}, {held}.")
    if lines:
        return lines
    reasons = dict.fromkeys(x.risk_bound.reason for x in signals.values() if isinstance(x.risk_bound, Undefined))
    return [f"Risk bound: {reason}." for reason in list(reasons)[:1]]


def _agreement(found: Agreements) -> Section:
    """Return whether signals flag the same questions as the primary one."""
    compared: dict[str, FlagAgreement] = _defined(found.signals)
    if not compared:
        return Section("Agreement", lines=_plain([f"No other signal beside {found.primary_signal}."]))
    lines = [f"Each signal flags {percent(found.flagged_share)} of the questions, beside {found.primary_signal}:"]
    rows = tuple(
        (
            plain(name),
            count(x.both),
            count(x.only_one),
            MISSING if isinstance(x.kappa, Undefined) else decimal(x.kappa.value, 2),
            percent(x.right),
            percent(x.right_primary),
            p_value(x.p_holm),
        )
        for name, x in compared.items()
    )
    notes = [
        "Both: flagged by both; one: by one of the two alone, as many by each. Right: flag and wrong answer, or none.",
        "Adjusted p: of both being right equally often (McNemar, Holm).",
    ]
    columns = ("signal", "both", "one", "kappa", "right", "primary", "adj. p")
    return Section("Agreement", lines=_plain(lines), tables=(Table(columns, rows),), notes=_plain(notes))


def _categories(found: Categories) -> Section:
    """Return where the primary and the recommended signal work."""
    lines: list[str] = []
    tables: list[Table] = []
    by_signal: dict[str, SignalCategories] = _defined(found.signals)
    for name, x in by_signal.items():
        if isinstance(x.difference, Undefined):
            lines.append(f"{name}: {x.difference.reason}.")
        else:
            lines.append(
                f"{name}: AUROC differs by category with p {p_value(x.difference.p)} "
                f"({count(x.difference.tested)} categories, permutation)."
            )
        tables.append(_category_table(name, x))
        rest = sum(isinstance(figures.auroc, Undefined) for figures in x.categories.values())
        if rest:
            lines.append(f"{name}: {count(rest)} more categories have fewer than 10 questions or one class.")
    notes = [
        "The AUROCs only describe: with many categories some are always far from 0.5.",
        "Zone: effective or blind, decided and scored on different folds, Holm; from 20 questions, 5 of each class.",
    ]
    return Section("Categories", lines=_plain(lines), tables=tuple(tables), notes=_plain(notes))


def _category_table(name: str, found: SignalCategories) -> Table:
    rows = tuple(
        (
            plain(category),
            MISSING if isinstance(x.auroc, Undefined) else decimal(x.auroc),
            _between(x.delong),
            count(x.n),
            MISSING if isinstance(x.zone, Undefined) else x.zone.zone,
        )
        for category, x in found.categories.items()
        if not isinstance(x.auroc, Undefined)
    )
    return Table((plain(name), "AUROC", "95% interval", "n", "zone"), rows)


def _calibration(found: Calibration) -> Section:
    """Return how well signals hold as probabilities."""
    rows: list[tuple[str, ...]] = []
    for name, x in _defined(found.signals).items():
        for method, figures in (("raw", x.raw), ("Platt", x.platt), ("isotonic", x.isotonic)):
            if not isinstance(figures, Undefined):
                rows.append((plain(name), method, *_held(figures)))
    base = next((x.brier_of_base_rate for x in _defined(found.signals).values()), None)
    lines = [f"P(incorrect) from a signal, fitted on other folds. Saying the share of errors scores {decimal(base)}."]
    columns = ("signal", "by", "ECE", "interval", "Brier", "interval")
    notes = ["ECE and Brier: lower is better; a Brier score above that of the share of errors is worth nothing."]
    return Section("Calibration", lines=_plain(lines), tables=(Table(columns, tuple(rows)),), notes=_plain(notes))


def _held(found: CalibratedBy) -> tuple[str, ...]:
    ece = MISSING if isinstance(found.ece, Undefined) else decimal(found.ece)
    low_high = [
        MISSING if x is None else interval(x.low, x.high, 2) for x in (found.ece_interval, found.brier_interval)
    ]
    return ece, low_high[0], decimal(found.brier), low_high[1]


def _dependence(found: Dependences) -> Section:
    """Return how boundaries, and signals, depend on each other."""
    pairs = [x for x in found.pairs if isinstance(x, BoundaryPair)]
    lines = [f"Not measured: {x.reason}." for x in found.pairs if isinstance(x, Undefined)]
    tables: list[Table] = []
    if pairs:
        named = dict.fromkeys((b, s) for x in pairs for b, s in zip(x.boundaries, x.pair, strict=True))
        lines.append(", ".join(f"{boundary} is {signal}" for boundary, signal in named))
        rows = tuple(
            (
                "-".join(x.boundaries),
                decimal(x.pearson.value, 2),
                decimal(x.spearman.value, 2),
                f"{decimal(x.distance_correlation.value, 2)} ({p_value(x.distance_correlation.p)})",
                f"{decimal(x.hsic.value, 4)} ({p_value(x.hsic.p)})",
                f"{decimal(x.mutual_information.value, 2)} ({p_value(x.mutual_information.p)})",
                count(x.n),
            )
            for x in pairs
        )
        columns = ("pair", "Pearson", "Spearman", "dCor (p)", "HSIC (p)", "MI, bits (p)", "n")
        tables.append(Table(columns, rows))
    correlated: dict[str, SignalCorrelation] = _defined(found.signals)
    if correlated:
        rows = tuple(
            (
                plain(name),
                decimal(x.pearson.value, 2),
                interval(x.pearson.low, x.pearson.high, 2),
                decimal(x.spearman.value, 2),
                count(x.pearson.n),
            )
            for name, x in correlated.items()
        )
        tables.append(Table((f"with {found.primary_signal}", "Pearson", "95% interval", "Spearman", "n"), rows))
    notes = [f"p by {count(found.permutations)} permutations. Dependence says nothing about which signal works."]
    if any(x.pearson.low is None for x in correlated.values()):
        notes.append(NO_CORRELATION_INTERVAL)
    return Section("Dependence", lines=_plain(lines), tables=tuple(tables), notes=_plain(notes))
