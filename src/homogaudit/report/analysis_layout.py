"""The analyses of the labelled questions as sections; one without figures says why."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from homogaudit.records import Interval
from homogaudit.report.analysis_records import (
    Agreements,
    BoundaryPair,
    CalibratedBy,
    Calibration,
    Categories,
    Comparisons,
    Dependences,
    Selective,
    SignalCategories,
    SignalSelective,
    Zones,
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
from homogaudit.report.parts import INTERVAL, SIGNAL, line, not_computed, notes, record_table, signal_term, text_table
from homogaudit.report.records import Report
from homogaudit.report.section import Column, Curve, Curves, HeatMap, Part, Row, Section, Table
from homogaudit.report.text import plain
from homogaudit.report.undefined import WITH_FULL, Undefined
from homogaudit.statistics import COVERAGES

_Figures = TypeVar("_Figures")


def analysis_sections(report: Report) -> tuple[Section, ...]:
    """Return the sections in reading order; what was left for the full report is not among them."""
    made: list[tuple[str, str, Any, Callable[[Any], list[Part]]]] = [
        ("comparisons", "Differences", report.comparisons, _comparisons),
        ("selective", "Selective prediction", report.selective, lambda x: _selective(x, report.verdict.signal)),
        ("agreement", "Agreement", report.agreement, _agreement),
        ("categories", "Categories", report.categories, _categories),
        ("calibration", "Calibration", report.calibration, _calibration),
        ("dependence", "Dependence", report.dependence, _dependence),
    ]
    return tuple(
        not_computed(key, title, key, found.reason)
        if isinstance(found, Undefined)
        else Section(key, title, key, tuple(lay_out(found)))
        for key, title, found, lay_out in made
        if found != WITH_FULL
    )


def _defined(signals: Mapping[str, _Figures | Undefined]) -> dict[str, _Figures]:
    return {name: x for name, x in signals.items() if not isinstance(x, Undefined)}


def _between(found: Interval | None, places: int = 3) -> str:
    return MISSING if found is None else interval(found.low, found.high, places)


def _comparisons(found: Comparisons) -> list[Part]:
    """Return which signals differ from the primary one."""
    compared = _defined(found.signals)
    if not compared:
        return [line(f"No other signal can be compared with {found.primary_signal}.", "comparisons")]
    said = f"AUROC against that of {found.primary_signal}, {count(len(compared))} signals (paired DeLong, Holm):"
    parts: list[Part] = [line(said, "comparisons")]
    readings = {
        "higher": "higher",
        "lower": "lower",
        "equivalent": f"equivalent within {found.margin:g}",
        "not shown to differ": "not shown to differ",
    }
    for reading, words in readings.items():
        names = [name for name, x in compared.items() if x.reading == reading]
        listed = f" ({', '.join(names)})" if names and reading in ("higher", "lower") else ""
        if names:
            parts.append(line(f"{words}: {count(len(names))}{listed}", "comparisons"))
    paths = ("delta", "delta.interval", "p_holm", "p_equivalent", "n")
    parts.append(record_table(compared, SIGNAL, paths, term=signal_term))
    said = f"Equal p: of a difference of {found.margin:g} or more (two one-sided tests)."
    return [*parts, line(said, "p_equivalent", "muted")]


def _selective(found: Selective, recommended: str | None) -> list[Part]:
    """Return how accurate the surest answers are by each signal."""
    scored = _defined(found.signals)
    leading = {name: x for name, x in scored.items() if name in found.leading}
    rows = tuple(
        Row(
            (
                plain(name),
                *(MISSING if isinstance(x, Undefined) else percent(x.accuracy) for x in figures.accuracy_at),
                decimal(figures.aurc),
                decimal(figures.prr),
            ),
            signal_term(name),
        )
        for name, figures in scored.items()
    )
    shares = (Column(f"{coverage:.0%}", "accuracy_at") for coverage in COVERAGES)
    columns = (SIGNAL, *shares, Column("AURC", "aurc"), Column("PRR", "prr"))
    bounds = [
        (
            name,
            f"{x.coverage:.0%}",
            written_threshold(x.threshold),
            percent(x.accuracy),
            percent_interval(x.low, x.high),
        )
        for name, figures in leading.items()
        for x in figures.accuracy_at
        if not isinstance(x, Undefined)
    ]
    headings = (SIGNAL, Column("share", "coverage"), Column("threshold", "at_threshold"), Column("accuracy"), INTERVAL)
    areas = [(name, _between(x.aurc_interval), _between(x.prr_interval)) for name, x in leading.items()]
    return [
        line("Accuracy on the share of the questions that a signal is surest of:", "accuracy_at"),
        Table(columns, rows),
        *notes(("PRR: 1 for a perfect order, 0 for a random one. AURC: mean error rate over all shares.",), "prr"),
        _curve(leading, found.target_risk),
        text_table(headings, bounds, "at_threshold", "Where the leading signals answer"),
        text_table((SIGNAL, Column("AURC", "aurc"), Column("PRR", "prr")), areas, "aurc", "95% intervals"),
        text_table(
            (SIGNAL, *(Column(f"{fifth}%", "curve") for fifth in range(20, 101, 20))),
            _fifths(leading),
            "curve",
            "Share of wrong answers among the surest",
        ),
        *(line(text, "risk_bound") for text in _bounds(found, scored)),
        line(
            "Threshold: of the values as stored; tied questions are accepted, so the share can be larger.",
            "at_threshold",
            "muted",
        ),
    ]


def _curve(signals: Mapping[str, SignalSelective], target: float) -> Curves:
    curves = tuple(
        Curve(plain(name), tuple(point.coverage for point in x.curve), tuple(point.risk for point in x.curve))
        for name, x in signals.items()
        if not isinstance(x.curve, Undefined)
    )
    title = "Share of wrong answers by share of questions answered"
    return Curves(title, "curve", curves, "questions answered", x_percent=True, y_marks=(target,), y_range=None)


def _fifths(signals: Mapping[str, SignalSelective]) -> list[tuple[str, ...]]:
    """Return the risk at every fifth of the questions; more columns would not fit."""
    rows: list[tuple[str, ...]] = []
    for name, figures in signals.items():
        if not isinstance(figures.curve, Undefined):
            points = figures.curve
            fifths = [points[max(0, round(len(points) * fifth / 5) - 1)] for fifth in range(1, 6)]
            rows.append((name, *(percent(point.risk) for point in fifths)))
    return rows


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


def _agreement(found: Agreements) -> list[Part]:
    """Return whether signals flag the same questions as the primary one."""
    compared = _defined(found.signals)
    if not compared:
        return [line(f"No other signal beside {found.primary_signal}.", "agreement")]
    said = f"Each signal flags {percent(found.flagged_share)} of the questions, beside {found.primary_signal}:"
    paths = ("both", "only_one", "kappa", "right", "right_primary", "p_holm")
    texts = (
        "Both: flagged by both; one: by one of the two alone, as many by each. Right: flag and wrong answer, or none.",
        "Adjusted p: of both being right equally often (McNemar, Holm).",
    )
    table = record_table(compared, SIGNAL, paths, term=signal_term)
    return [line(said, "agreement"), table, *notes(texts, "agreement")]


def _categories(found: Categories) -> list[Part]:
    """Return where the primary and the recommended signal work."""
    parts: list[Part] = []
    for name, x in _defined(found.signals).items():
        if isinstance(x.difference, Undefined):
            parts.append(line(f"{name}: {x.difference.reason}.", "categories"))
        else:
            differs = f"{name}: AUROC differs by category with p {p_value(x.difference.p)}"
            tested = f"{count(x.difference.tested)} categories, Cochran's Q"
            parts.append(line(f"{differs} ({tested}).", "categories"))
        parts.append(_category_table(name, x))
        rest = sum(isinstance(figures.auroc, Undefined) for figures in x.categories.values())
        if rest:
            said = f"{name}: {count(rest)} more categories have fewer than 10 questions or one class."
            parts.append(line(said, "categories"))
    texts = (
        "The AUROCs only describe: with many categories some are always far from 0.5.",
        "Zone: effective or blind, decided and scored on different folds, Holm; from 20 questions, 5 of each class.",
    )
    return [*parts, *notes(texts, "zone"), *_zones(found.zones)]


def _zones(found: Zones | Undefined) -> list[Part]:
    """Return how every signal does where the primary one works, and where it points the wrong way."""
    if isinstance(found, Undefined):
        return [line(f"Zones of the primary signal: {found.reason}.", "held_out_zones")]
    paths = ("effective", "effective.interval", "effective.of", "blind", "blind.interval", "blind.of")
    title = f"where {found.primary_signal} works, and where it points the wrong way"
    said = "Half of the questions decide on the zones, the other half gives the AUROCs; ten splits."
    return [
        record_table(found.held_out_zones, SIGNAL, paths, title=title, term=signal_term),
        line(said, "held_out_zones", "muted"),
    ]


def _category_table(name: str, found: SignalCategories) -> Table:
    rows = [
        (
            category,
            MISSING if isinstance(x.auroc, Undefined) else decimal(x.auroc),
            _between(x.delong),
            count(x.n),
            MISSING if isinstance(x.zone, Undefined) else x.zone.zone,
        )
        for category, x in found.categories.items()
        if not isinstance(x.auroc, Undefined)
    ]
    columns = (
        Column("category", "categories"),
        Column("AUROC", "auroc"),
        INTERVAL,
        Column("n", "n"),
        Column("zone", "zone"),
    )
    return text_table(columns, rows, "categories", name)


def _calibration(found: Calibration) -> list[Part]:
    """Return how well signals hold as probabilities."""
    rows = [
        (name, method, *_held(figures))
        for name, x in _defined(found.signals).items()
        for method, figures in (("raw", x.raw), ("Platt", x.platt), ("isotonic", x.isotonic))
        if not isinstance(figures, Undefined)
    ]
    base = next((x.brier_of_base_rate for x in _defined(found.signals).values()), None)
    said = f"P(incorrect) from a signal, fitted on other folds. Saying the share of errors scores {decimal(base)}."
    columns = (
        SIGNAL,
        Column("calibration", "calibration"),
        Column("ECE", "ece"),
        Column("by chance", "ece"),
        Column("Brier", "brier"),
        INTERVAL,
    )
    texts = (
        "ECE and Brier: lower is better; a Brier score above that of the share of errors is worth nothing.",
        "By chance: 95% of the ECEs where the probabilities hold; one above shows that they do not.",
    )
    return [line(said, "calibration"), text_table(columns, rows, "calibration"), *notes(texts, "brier")]


def _held(found: CalibratedBy) -> tuple[str, ...]:
    ece = MISSING if isinstance(found.ece, Undefined) else decimal(found.ece)
    return ece, _between(found.ece_by_chance, 2), decimal(found.brier), _between(found.brier_interval, 2)


def _dependence(found: Dependences) -> list[Part]:
    """Return how boundaries, and signals, depend on each other."""
    pairs = [x for x in found.pairs if isinstance(x, BoundaryPair)]
    parts: list[Part] = [
        line(f"Not measured: {x.reason}.", "dependence") for x in found.pairs if isinstance(x, Undefined)
    ]
    if pairs:
        named = dict.fromkeys((b, s) for x in pairs for b, s in zip(x.boundaries, x.pair, strict=True))
        parts.append(line(", ".join(f"{boundary} is {signal}" for boundary, signal in named), "boundary"))
        rows = [
            (
                "-".join(x.boundaries),
                decimal(x.pearson.value, 2),
                decimal(x.spearman.value, 2),
                decimal(x.distance_correlation.value, 2),
                p_value(x.distance_correlation.p),
                decimal(x.hsic.value, 4),
                p_value(x.hsic.p),
                decimal(x.mutual_information.value, 2),
                p_value(x.mutual_information.p),
                count(x.n),
            )
            for x in pairs
        ]
        columns = (
            Column("pair", "dependence"),
            Column("Pearson", "pearson"),
            Column("Spearman", "spearman"),
            Column("dCor", "distance_correlation"),
            Column("p", "p"),
            Column("HSIC", "hsic"),
            Column("p", "p"),
            Column("MI, bits", "mutual_information"),
            Column("p", "p"),
            Column("n", "n"),
        )
        parts += [text_table(columns, rows, "dependence"), _heat_map(pairs)]
    correlated = _defined(found.signals)
    if correlated:
        paths = ("pearson", "pearson.interval", "spearman", "pearson.of")
        title = f"With {found.primary_signal}"
        parts.append(record_table(correlated, SIGNAL, paths, title=title, term=signal_term))
    said = f"p by {count(found.permutations)} permutations. Dependence says nothing about which signal works."
    parts.append(line(said, "p", "muted"))
    if any(x.pearson.low is None for x in correlated.values()):
        parts.append(line(NO_CORRELATION_INTERVAL, "pearson", "muted"))
    return parts


def _heat_map(pairs: list[BoundaryPair]) -> HeatMap:
    """Return Spearman's correlation of every two boundaries."""
    values = {x.boundaries: x.spearman.value for x in pairs}
    names = tuple(dict.fromkeys(name for x in pairs for name in x.boundaries))
    rows = tuple(tuple(1.0 if a == b else values.get((a, b), values.get((b, a))) for b in names) for a in names)
    return HeatMap("Spearman's correlation of the boundaries", "spearman", names, rows)
