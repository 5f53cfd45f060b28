"""From a report to what its screen shows: sections of sentences, rows, dots and curves. Knows no widget.

Every figure says which term of the glossary explains it; one that does not exist is a dash with its reason.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from homogaudit.cascade.held_out import HeldOutValue
from homogaudit.report.numbers import (
    MISSING,
    count,
    decimal,
    duration,
    interval,
    percent,
    percent_interval,
    share,
    threshold,
)
from homogaudit.report.records import Auroc, Estimate, Report, SignalScore, Undefined
from homogaudit.report.text import plain
from homogaudit.report.undefined import WITH_FULL
from homogaudit.statistics import Rate
from homogaudit.tui.widgets.dot_plot import DotRow
from homogaudit.tui.widgets.line_plot import Series

__all__ = ["Block", "Curves", "Dots", "Item", "Rows", "Section", "all_items", "report_sections"]

LEVEL_STYLES = {
    "none": "$text-success",
    "undecided": "$text-warning",
    "mild": "$text-warning",
    "severe": "$text-error",
    "invalid": "$text-error",
}

_LATER = "being computed"


@dataclass(frozen=True, slots=True)
class Item:
    """One figure, or one sentence, that can be copied and explained.

    Attributes:
        name: What it is; empty for a sentence.
        value: As it is shown and copied.
        term: That explains it.
        note: Why there is no value, or what belongs to it.
        style: Of the value, in terms of the theme.
    """

    name: str
    value: str
    term: str
    note: str = ""
    style: str = ""


@dataclass(frozen=True, slots=True)
class Rows:
    """Figures, one a row."""

    items: tuple[Item, ...]
    title: str = ""


@dataclass(frozen=True, slots=True)
class Dots:
    """Figures with intervals on one axis; `rows` and `items` go together one by one."""

    title: str
    items: tuple[Item, ...]
    rows: tuple[DotRow, ...]
    reference: float | None
    label: str = ""
    percent: bool = False


@dataclass(frozen=True, slots=True)
class Curves:
    """Lines on one pair of axes; `item` copies all points as tab-separated text."""

    title: str
    item: Item
    series: tuple[Series, ...]
    x_label: str
    x_percent: bool = False
    x_marks: tuple[float, ...] = ()
    y_marks: tuple[float, ...] = ()
    y_range: tuple[float, float] | None = (0.0, 1.0)
    empty: str = ""


Block = Rows | Dots | Curves


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the report.

    Attributes:
        side: `top` goes over the whole width, `left` and `right` stand beside each other where there is room.
        style: Of its title, in terms of the theme.
    """

    key: str
    title: str
    side: str
    blocks: tuple[Block, ...]
    style: str = ""


def report_sections(report: Report) -> tuple[Section, ...]:
    """Return the sections in reading order: what spoils the figures, what follows, the figures."""
    return (
        _validity(report),
        _verdict(report),
        _rates(report),
        _sweeps(report),
        _labels(report),
        _selective(report),
        _signals(report),
        _cascade(report),
    )


def _sentence(text: str, term: str, style: str = "") -> Item:
    return Item("", plain(text), term, style=style)


def _missing(name: str, reason: str, term: str) -> Item:
    return Item(plain(name), MISSING, term, note=_reason(reason))


def _reason(reason: str) -> str:
    return _LATER if reason == WITH_FULL.reason else plain(reason)


def _dash(reason: str) -> str:
    return f"{MISSING}  {_reason(reason)}"


def _rate(name: str, rate: Rate | Undefined, term: str) -> Item:
    if isinstance(rate, Undefined):
        return _missing(name, rate.reason, term)
    value = f"{percent(rate.value)} {percent_interval(rate.low, rate.high)}"
    return Item(plain(name), value, term, note=share(rate.k, rate.n))


def _mean(name: str, mean: Estimate | Undefined, term: str, places: int = 2) -> Item:
    if isinstance(mean, Undefined):
        return _missing(name, mean.reason, term)
    value = decimal(mean.value, places)
    if mean.low is not None:
        value += f" {interval(mean.low, mean.high, places)}"
    return Item(plain(name), value, term)


# Validity and verdict


def _validity(report: Report) -> Section:
    found = report.validity
    items = [Item("!", plain(line), "warnings", style="$text-warning") for line in found.warnings]
    scored = share(found.questions_scored, found.questions)
    if not items:
        items.append(_sentence(f"Nothing found that spoils the figures; {scored} questions are scored.", "validity"))
    else:
        items.append(_sentence(f"{scored} questions are scored.", "scored_question"))
    if found.samples:
        counts = {
            "cut at the token limit": found.truncated,
            "thinking never closed": found.thinking_unclosed,
            "empty": found.empty,
            "refusals": found.refusals,
            "failed": found.errors,
            "repeated": found.duplicated,
        }
        parts = [f"{count(x)} {words}" for words, x in counts.items() if isinstance(x, int) and x]
        line = f"{share(found.samples_valid, found.samples)} samples hold an answer"
        items.append(_sentence("; ".join([line, *parts]) + ".", "valid_sample"))
    style = "$text-warning" if found.warnings else ""
    number = len(found.warnings)
    title = f"Validity: {number} {'warning' if number == 1 else 'warnings'}" if number else "Validity"
    return Section("validity", title, "top", (Rows(tuple(items)),), style)


def _verdict(report: Report) -> Section:
    verdict = report.verdict
    style = LEVEL_STYLES.get(verdict.level, "")
    sentences = tuple(
        Item("·" if number else "●", plain(line), "level", style="" if number else style)
        for number, line in enumerate(verdict.sentences)
    )
    return Section("verdict", f"Verdict: {verdict.level}", "top", (Rows(sentences),), style)


# Homogenization


def _rates(report: Report) -> Section:
    found = report.homogenization
    if not found.methods:
        return Section(
            "rates", "Homogenization", "left", (Rows((_sentence("No clustering is stored.", "clustering"),)),)
        )
    items, rows = [], []
    for name, figures in found.methods.items():
        shown = name + (" *" if name == found.primary and len(found.methods) > 1 else "")
        _add_rate(items, rows, shown, figures.scr, "scr", LEVEL_STYLES.get(figures.level, ""))
    blocks: list[Block] = [Dots("Single-cluster rate by clustering", tuple(items), tuple(rows), None, percent=True)]
    primary = found.methods.get(found.primary or "")
    if primary is not None:
        blocks.append(
            Rows(
                (
                    _rate("best case", primary.scr_best_case, "scr_best_case"),
                    _rate("worst case", primary.scr_worst_case, "scr_worst_case"),
                    _rate("without refusals", primary.scr_without_refusals, "scr_without_refusals"),
                    _rate("unseen errors", primary.wrong_in_single_cluster, "wrong_in_single_cluster"),
                    _mean("mean clusters", primary.mean_clusters, "clusters"),
                    _mean("semantic entropy", primary.mean_semantic_entropy, "semantic_entropy"),
                    _mean("alignment tax", primary.mean_alignment_tax, "alignment_tax"),
                ),
                f"By {plain(found.primary or '')}" + (", which decides the verdict (*)" if len(items) > 1 else ""),
            )
        )
    return Section("rates", "Homogenization", "left", tuple(blocks))


def _add_rate(items: list[Item], rows: list[DotRow], name: str, rate: Rate | Undefined, term: str, style: str) -> None:
    items.append(_rate(f"SCR by {name}", rate, term))
    if isinstance(rate, Undefined):
        rows.append(DotRow(plain(name), note=_dash(rate.reason)))
    else:
        rows.append(DotRow(plain(name), rate.value, rate.low, rate.high, note=share(rate.k, rate.n), style=style))


def _sweeps(report: Report) -> Section:
    methods = report.homogenization.methods
    by_threshold, by_size = [], []
    for name, figures in methods.items():
        points = figures.thresholds
        if points:
            by_threshold.append(
                Series(
                    plain(name),
                    [x.threshold for x in points],
                    [x.scr.value for x in points],
                    [x.scr.low for x in points],
                    [x.scr.high for x in points],
                )
            )
        sizes = figures.sample_sizes
        if sizes:
            # An estimate without an interval has a band of no width.
            lows = [x.random_k.value if x.random_k.low is None else x.random_k.low for x in sizes]
            highs = [x.random_k.value if x.random_k.high is None else x.random_k.high for x in sizes]
            by_size.append(
                Series(plain(name), [float(x.k) for x in sizes], [x.random_k.value for x in sizes], lows, highs)
            )
    primary = methods.get(report.homogenization.primary or "")
    marks = (primary.threshold,) if primary is not None and primary.threshold is not None else ()
    return Section(
        "sweeps",
        "How far the rate depends on the method",
        "left",
        (
            _curves("SCR by threshold", by_threshold, "similarity from which answers join", "threshold", marks),
            _curves("SCR by number of samples", by_size, "samples a question", "sample_sizes"),
        ),
    )


def _curves(title: str, series: Sequence[Series], x_label: str, term: str, x_marks: tuple[float, ...] = ()) -> Curves:
    empty = "no sweep: nothing to sweep over is stored"
    return Curves(title, _curve_item(title, series, term, empty), tuple(series), x_label, x_marks=x_marks, empty=empty)


def _curve_item(title: str, series: Sequence[Series], term: str, empty: str) -> Item:
    if not series:
        return _missing(title, empty, term)
    lines = [f"{line.name}\t{x:g}\t{y:.4f}" for line in series for x, y in zip(line.x, line.y, strict=True)]
    return Item(title, "\n".join(lines), term)


# Labels


def _labels(report: Report) -> Section:
    labels = report.labels
    if labels.judge is None:
        items = [_sentence(f"No judge: {labels.reason}.", "judge")]
        return Section("labels", "Labels", "left", (Rows(tuple(items)),))
    numbers = {
        "correct": labels.correct,
        "incorrect": labels.incorrect,
        "ambiguous": labels.ambiguous,
        "no match": labels.no_match,
        "unlabelled": labels.unlabelled,
    }
    items = [
        Item("judge", plain(labels.judge), "judge", note=plain(labels.reason)),
        _rate("accuracy", labels.accuracy, "accuracy"),
        *(Item(name, count(number), name.replace(" ", "_")) for name, number in numbers.items()),
    ]
    return Section("labels", "Labels of the greedy answers", "left", (Rows(tuple(items)),))


# Signals


def _signals(report: Report) -> Section:
    if not report.signals:
        return Section("signals", "Signals", "right", (Rows((_sentence("No signal is stored.", "signals"),)),))
    verdict = report.verdict
    recommended = Item("recommended signal", plain(verdict.signal or MISSING), verdict.signal or "signal")
    if verdict.signal is None:
        recommended = _missing("recommended signal", "none is shown to work here", "signal")
    items = [recommended]
    if verdict.signal is not None:
        items.append(_mean("its AUROC, held out", verdict.signal_auroc, "auroc", 3))
    return Section(
        "signals",
        "Signals against wrong answers",
        "right",
        (
            Rows(tuple(items)),
            _areas("AUROC on all questions", report, "auroc"),
            _areas("AUROC on single-cluster questions", report, "auroc_single_cluster"),
        ),
    )


def _areas(title: str, report: Report, field: str) -> Block:
    """Return one plot of AUROCs, the highest first; those that do not exist stand at the end."""
    found: dict[str, Auroc | Undefined] = {name: getattr(signal, field) for name, signal in report.signals.items()}
    defined = {name: x for name, x in found.items() if isinstance(x, Auroc)}
    reasons = {x.reason for x in found.values() if isinstance(x, Undefined)}
    if not defined and len(reasons) == 1:
        return Rows((_missing(title, reasons.pop(), field),), title)
    items: list[Item] = []
    rows: list[DotRow] = []
    for name, x in sorted(defined.items(), key=lambda pair: -pair[1].value):
        reading = "not shown" if x.reading == "not shown to work" else x.reading
        value = f"{decimal(x.value)} {interval(x.low, x.high)}"
        items.append(Item(plain(name), value, _term(name, report.signals[name]), note=f"{x.reading}, n {count(x.n)}"))
        rows.append(DotRow(plain(name), x.value, x.low, x.high, note=reading))
    for name, x in found.items():
        if isinstance(x, Undefined):
            items.append(_missing(name, x.reason, _term(name, report.signals[name])))
            rows.append(DotRow(plain(name), note=_dash(x.reason)))
    return Dots(title, tuple(items), tuple(rows), 0.5, "0.5 is chance")


def _term(name: str, signal: SignalScore) -> str:
    """Return what explains a signal; a recorded one that the project does not know has no term of its own."""
    return "signal" if signal.boundary == "recorded" else name.removeprefix("recorded:")


# Answering only some questions


def _selective(report: Report) -> Section:
    title = "Answering only where the signal is low"
    found = report.selective
    if isinstance(found, Undefined):
        return Section("selective", title, "left", (Rows((_missing("selection", found.reason, "selective"),)),))
    blocks: list[Block] = []
    series: list[Series] = []
    pending = ""
    for number, name in enumerate(found.leading):
        figures = found.signals.get(name)
        if figures is None or isinstance(figures, Undefined):
            continue
        if isinstance(figures.curve, Undefined):
            pending = _reason(figures.curve.reason)
        else:
            points = figures.curve
            series.append(Series(plain(name), [x.coverage for x in points], [x.risk for x in points], color=number))
    item = _curve_item("risk-coverage curve", series, "aurc", pending or "no signal has a curve")
    blocks.append(
        Curves(
            "Share of wrong answers by share of questions answered",
            item,
            tuple(series),
            "questions answered",
            x_percent=True,
            y_marks=(found.target_risk,),
            y_range=None,
            empty=item.note,
        )
    )
    where = report.verdict.answer_where
    items: list[Item] = []
    if isinstance(where, Undefined):
        items.append(_missing("when to answer", where.reason, "answer_where"))
    else:
        side = "at most" if where.direction == 1 else "at least"
        rule = f"{plain(report.verdict.signal or '')} {side} {threshold(where.threshold)}"
        items.append(Item("when to answer", rule, "answer_where"))
        items.append(_rate("correct among these", where.accuracy, "accuracy_at"))
        items.append(Item("questions answered", percent(where.coverage), "coverage"))
    blocks.append(Rows(tuple(items)))
    for name in found.leading[:2]:
        figures = found.signals.get(name)
        if figures is None or isinstance(figures, Undefined):
            continue
        at = [
            _missing("accuracy", x.reason, "accuracy_at")
            if isinstance(x, Undefined)
            else Item(
                f"answering {percent(x.coverage)}",
                percent(x.accuracy) + ("" if x.low is None else f" {percent_interval(x.low, x.high)}"),
                "accuracy_at",
                note="correct",
            )
            for x in figures.accuracy_at
        ]
        blocks.append(Rows((*at, Item("AURC", decimal(figures.aurc), "aurc")), f"By {plain(name)}"))
    return Section("selective", title, "left", tuple(blocks))


# The cascade


def _cascade(report: Report) -> Section:
    title = "Cascade: the cheapest signals first"
    found = report.cascade
    held_out = found.held_out
    if isinstance(held_out, Undefined):
        items = [_missing("cascade", held_out.reason, "ucbd")]
        items += [Item(plain(x.signal), x.boundary, x.signal, note=f"costs {x.cost_class}") for x in found.stages]
        return Section("cascade", title, "right", (Rows(tuple(items)),))
    verb = "Recommended" if found.recommended else "Not recommended"
    style = "$text-success" if found.recommended else "$text-warning"
    stages = tuple(
        Item(
            f"{number}. {plain(x.signal)}",
            percent(held_out.decided[x.signal].value),
            "decided",
            note=f"{plain(x.boundary)}, {x.cost_class}{_seconds(x.marginal_cost.get('seconds'))}",
        )
        for number, x in enumerate(found.stages, 1)
    )
    savings = tuple(_saving(kind, x) for kind, x in held_out.saving.items())
    areas = {"the cascade": held_out.auroc, "every stage": held_out.auroc_parallel}
    areas |= {name: alone.auroc for name, alone in held_out.alone.items()}
    return Section(
        "cascade",
        title,
        "right",
        (
            Rows((_sentence(f"{verb}: {found.reason}.", "ucbd", style),)),
            Rows(stages, "Stages, and the share of questions that each decides"),
            Rows(savings, "Saved against running every stage"),
            Dots(
                "AUROC on held-out questions, with each stage alone",
                tuple(
                    Item(plain(name), f"{decimal(x.value)} {interval(x.low, x.high)}", "auroc")
                    for name, x in areas.items()
                ),
                tuple(DotRow(plain(name), x.value, x.low, x.high) for name, x in areas.items()),
                0.5,
                "0.5 is chance",
            ),
        ),
    )


def _seconds(cost: float | Undefined | None) -> str:
    return "" if cost is None or isinstance(cost, Undefined) else f", {duration(cost)} a question"


def _saving(kind: str, figure: HeldOutValue | Undefined) -> Item:
    if isinstance(figure, Undefined):
        return _missing(kind, figure.reason, "saving")
    return Item(kind, f"{percent(figure.value)} {percent_interval(figure.low, figure.high)}", "saving")


def all_items(sections: Iterable[Section]) -> list[Item]:
    """Return every item in reading order."""
    found: list[Item] = []
    for section in sections:
        for block in section.blocks:
            found += [block.item] if isinstance(block, Curves) else block.items
    return found
