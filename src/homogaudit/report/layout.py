"""The report as sections of lines and tables of text, which console and Markdown only dress.

All text of others is plain here already: one line, no terminal escapes. Markup, colour and width are the formatters'
matter; so is the drawing of the small plots.
"""

from collections.abc import Iterable, Mapping

from homogaudit.report.analysis_layout import analysis_sections
from homogaudit.report.cascade_layout import cascade_section, pointer_section
from homogaudit.report.numbers import (
    MISSING,
    count,
    decimal,
    duration,
    interval,
    p_value,
    percent,
    percent_interval,
    share,
)
from homogaudit.report.records import (
    Auroc,
    DrawCounts,
    EntropyBounds,
    Estimate,
    JudgeCounts,
    MethodFigures,
    Report,
    SignalScore,
    TokenEntropies,
    Undefined,
    Validity,
)
from homogaudit.report.run_data import mapping, number
from homogaudit.report.section import Bar, Plot, Section, Span, Table
from homogaudit.report.side_by_side_layout import judge_notes, judge_tables, model_sections
from homogaudit.report.text import plain
from homogaudit.statistics import Rate

__all__ = ["Bar", "Plot", "Section", "Span", "Table", "sections"]


def sections(report: Report, *, full: bool) -> tuple[Section, ...]:
    """Return the report in reading order: what was run, whether it is valid, what follows, the figures.

    Args:
        report: The report.
        full: Whether to add the sweeps as tables, every histogram, and what each signal costs and does on parts.
    """
    return (
        _run(report),
        _validity(report.validity),
        Section(f"Verdict: {report.verdict.level}", lines=_plain(report.verdict.sentences)),
        _homogenization(report, full=full),
        *model_sections(report.homogenization.models),
        _labels(report, full=full),
        _signals(report, full=full),
        *analysis_sections(report, full=full),
        cascade_section(report.cascade, full=full),
        *([pointer_section(report.pointer)] if full else []),
    )


def _plain(lines: Iterable[str]) -> tuple[str, ...]:
    return tuple(plain(line) for line in lines)


def _run(report: Report) -> Section:
    """Return what was audited, how, and on what."""
    run = report.run
    without = "labels without answers" if report.validity.greedy is None else "greedy answers only"
    drawn = f"{count(run.samples)} samples each" if run.samples else without
    facts = [f"{count(run.questions)} questions of `{run.question_source}`, {drawn}"]
    samplers = {**run.decoding, **mapping(run.decoding.get("samples"))}
    named = {"temperature": "temperature", "max_tokens": "at most tokens", "seed": "seed"}
    known = {words: number(samplers.get(name)) for name, words in named.items()}
    facts += [f"{words} {value:g}" for words, value in known.items() if value is not None]
    lines = [
        f"Model: {run.model}",
        ", ".join(facts),
        f"Run {run.id[:12]}, {run.status}, begun {run.created}",
    ]
    if not isinstance(run.seconds, Undefined):
        device = f" on {run.device}" if isinstance(run.device, str) else ""
        lines[-1] += f", {duration(run.seconds)} of work{device}"
    if run.embedder is not None:
        lines.append(f"Embedder: {run.embedder}")
    elif run.embedder_reason:
        lines.append(f"No embedder: {run.embedder_reason}")
    return Section("homogaudit report", lines=_plain([*lines, *_entropy_lines(run.token_entropies)]))


def _entropy_lines(found: TokenEntropies) -> list[str]:
    """Return how far token entropies are known; nothing of exact ones, which are what a reader expects."""
    if found.entropy_source == "not available":
        return [f"Token entropies: not available, {found.reason}"]
    if found.entropy_source != "bounded":
        return []
    parts = [f"{name} {_entropy_bounds(x)}" for name, x in (("greedy", found.greedy), ("samples", found.samples))]
    return [
        f"Token entropies: bounded by the top {found.top_logprobs} log-probabilities, nats a token on average: "
        f"{'; '.join(parts)}. Signals of the greedy answer take the lower bound"
    ]


def _entropy_bounds(found: EntropyBounds | Undefined) -> str:
    if isinstance(found, Undefined):
        return f"not available, {found.reason}"
    known = f"{count(found.bounded_tokens)} tokens, {percent(found.tokens_share)} of those drawn"
    if isinstance(found.high, Undefined) or isinstance(found.width, Undefined):
        return f"at least {decimal(found.low)} ({known})"
    return f"{decimal(found.low)} to {decimal(found.high)} (width {decimal(found.width)}; {known})"


def _validity(validity: Validity) -> Section:
    """Return the counts of the draws under the warnings that they give."""
    columns = ("", "drawn", "valid", "truncated", "unclosed", "empty", "failed", "refused", "repeated")
    rows: list[tuple[str, ...]] = []
    if validity.samples:
        samples = DrawCounts(
            drawn=validity.samples,
            valid=validity.samples_valid,
            truncated=validity.truncated,
            thinking_unclosed=validity.thinking_unclosed,
            empty=validity.empty,
            refusals=validity.refusals,
            errors=validity.errors,
        )
        rows.append(("samples", *_draws(samples), _counted(validity.duplicated)))
    if validity.greedy is not None:
        rows.append(("greedy", *_draws(validity.greedy), MISSING))
    lines = [f"{share(validity.questions_scored, validity.questions)} questions are scored."]
    if not validity.warnings:
        lines.append("Nothing found that spoils the figures.")
    tables = (Table(columns, tuple(rows)),) if rows else ()
    return Section("Validity", warnings=_plain(validity.warnings), lines=_plain(lines), tables=tables)


def _draws(counts: DrawCounts) -> tuple[str, ...]:
    numbers = (counts.thinking_unclosed, counts.empty, counts.errors, counts.refusals)
    return (count(counts.drawn), count(counts.valid), _counted(counts.truncated), *map(count, numbers))


def _counted(value: int | Undefined) -> str:
    return MISSING if isinstance(value, Undefined) else count(value)


def _homogenization(report: Report, *, full: bool) -> Section:
    """Return the rates of every clustering, the sweeps and the histograms."""
    found = report.homogenization
    if not found.methods:
        return Section("Homogenization", lines=("No clustering is stored.",))
    if all(isinstance(x.scr, Undefined) and isinstance(x.scr_worst_case, Undefined) for x in found.methods.values()):
        reasons = dict.fromkeys(x.scr.reason for x in found.methods.values() if isinstance(x.scr, Undefined))
        return Section("Homogenization", lines=_plain([f"Not judged: {reason}." for reason in reasons]))
    rates, details = [], []
    for name, figures in found.methods.items():
        marked = name + (" *" if name == found.primary and len(found.methods) > 1 else "")
        rates.append((plain(marked), _how(figures), *_rate(figures.scr), _cases(figures)))
        details.append(
            (
                plain(name),
                _share_of(figures.scr_without_refusals),
                _share_of(figures.wrong_in_single_cluster),
                _mean(figures.mean_clusters),
                _mean(figures.mean_semantic_entropy),
                _mean(figures.mean_alignment_tax),
            )
        )
    columns = ("clustering", "joins at", "SCR", "95% interval", "k of n", "best-worst")
    more = ("clustering", "not refused", "wrong in one", "clusters", "entropy", "align. tax")
    tables = [Table(columns, tuple(rates)), Table(more, tuple(details))]
    shown = {name: x for name, x in found.methods.items() if full or name == found.primary}
    notes = ["SCR: share of questions whose samples all fall into one cluster."]
    if len(found.methods) > 1:
        notes.append("* decides the verdict.")
    notes += _method_notes(found.methods)
    for name, figures in found.methods.items():
        if full:
            tables += _sweep_tables(name, figures)
            notes += _calibrated_lines(name, figures)
        else:
            notes += _sweep_lines(name, figures)
    tables += [_histogram(name, figures) for name, figures in shown.items() if figures.histogram]
    return Section("Homogenization", tables=tuple(tables), notes=_plain(notes))


def _how(figures: MethodFigures) -> str:
    threshold = "" if figures.threshold is None else f"{figures.threshold:g} "
    return plain(f"{threshold}{figures.linkage}")


def _rate(rate: Rate | Undefined) -> tuple[str, str, str]:
    if isinstance(rate, Undefined):
        return MISSING, MISSING, MISSING
    return percent(rate.value), percent_interval(rate.low, rate.high), share(rate.k, rate.n)


def _share_of(rate: Rate | Undefined) -> str:
    return MISSING if isinstance(rate, Undefined) else f"{percent(rate.value)} of {count(rate.n)}"


def _mean(mean: Estimate | Undefined) -> str:
    return MISSING if isinstance(mean, Undefined) else decimal(mean.value, 2)


def _cases(figures: MethodFigures) -> str:
    best, worst = figures.scr_best_case, figures.scr_worst_case
    if isinstance(best, Undefined) or isinstance(worst, Undefined):
        return MISSING
    return percent(best.value) if best.k == worst.k else f"{percent(best.value)}-{percent(worst.value)}"


def _method_notes(methods: Mapping[str, MethodFigures]) -> list[str]:
    """Return why figures of a clustering are missing."""
    notes: list[str] = []
    for name, figures in methods.items():
        if isinstance(figures.scr, Undefined):
            notes.append(f"{name}: no SCR, {figures.scr.reason}.")
        if figures.questions_missing:
            notes.append(f"{name}: {count(figures.questions_missing)} questions are not clustered yet.")
    return notes


def _sweep_lines(name: str, figures: MethodFigures) -> list[str]:
    """Return the sweeps of one clustering as a line each."""
    lines: list[str] = []
    if figures.thresholds:
        points = ", ".join(f"{x.threshold:g}: {percent(x.scr.value)}" for x in figures.thresholds)
        lines.append(f"{name} SCR by threshold: {points}")
    lines += _calibrated_lines(name, figures)
    if figures.sample_sizes:
        points = ", ".join(f"{x.k}: {percent(x.random_k.value)}" for x in figures.sample_sizes)
        lines.append(f"{name} SCR by number of samples: {points}")
    return lines


def _calibrated_lines(name: str, figures: MethodFigures) -> list[str]:
    """Return SCR at the calibrated threshold, nothing where there is none."""
    point = figures.calibrated_threshold
    if isinstance(point, Undefined):
        return []
    rate = f"{percent(point.scr.value)} {percent_interval(point.scr.low, point.scr.high)}"
    return [
        f"{name} SCR at the calibrated threshold {decimal(point.threshold)}: {rate}. It is set on pairs of answers and "
        f"does not transfer exactly to {figures.linkage} linkage."
    ]


def _sweep_tables(name: str, figures: MethodFigures) -> list[Table]:
    """Return the sweeps of one clustering as tables."""
    tables: list[Table] = []
    if figures.thresholds:
        rows = tuple(
            (decimal(x.threshold, 2), *_rate(x.scr)[:2], decimal(x.mean_clusters, 2)) for x in figures.thresholds
        )
        tables.append(Table((plain(f"{name} threshold"), "SCR", "95% interval", "clusters"), rows))
    if figures.sample_sizes:
        rows = tuple(
            (
                str(x.k),
                percent(x.first_k.value),
                percent(x.random_k.value),
                percent_interval(x.random_k.low, x.random_k.high),
            )
            for x in figures.sample_sizes
        )
        tables.append(Table((plain(f"{name} samples"), "SCR first k", "SCR random k", "95% interval"), rows))
    return tables


def _histogram(name: str, figures: MethodFigures) -> Table:
    longest = max(x.questions for x in figures.histogram)
    return Table(
        (plain(f"{name} clusters"), "questions"),
        tuple((str(x.clusters), count(x.questions)) for x in figures.histogram),
        tuple(Bar(x.questions / longest) for x in figures.histogram),
    )


def _labels(report: Report, *, full: bool) -> Section:
    """Return what every judge says."""
    labels = report.labels
    if labels.judge is None:
        lines = [f"No judge: {labels.reason}."]
        if labels.judges:
            lines.append(f"Labels of other scorings: {', '.join(labels.judges)}; `report --judge` goes by one of them.")
        return Section("Labels", lines=_plain(lines))
    line = f"Judge: {labels.judge}" + (f" ({labels.reason})" if labels.reason else "")
    columns = ("judge", "correct", "incorrect", "ambiguous", "no match", "accuracy", "95% interval")
    rows = tuple((plain(judge), *_judged(counts)) for judge, counts in labels.judges.items())
    tables = (Table(columns, rows), *judge_tables(labels, full=full))
    return Section("Labels", lines=_plain([line]), tables=tables, notes=_plain(judge_notes(labels, full=full)))


def _judged(counts: JudgeCounts) -> tuple[str, ...]:
    numbers = (counts.correct, counts.incorrect, counts.ambiguous, counts.no_match)
    return (*map(count, numbers), *_rate(counts.accuracy)[:2])


def _signals(report: Report, *, full: bool) -> Section:
    """Return what every signal is worth."""
    if not report.signals:
        return Section("Signals", lines=("No signal is stored.",))
    rows: list[tuple[str, ...]] = []
    spans: list[Plot] = []
    for name, signal in report.signals.items():
        auroc = signal.auroc
        if isinstance(auroc, Auroc):
            figures = (decimal(auroc.value), interval(auroc.low, auroc.high), p_value(auroc.p_holm))
            reading = "not shown" if auroc.reading == "not shown to work" else auroc.reading
            rows.append((plain(name), *figures, count(auroc.n), reading))
            spans.append(Span(auroc.value, auroc.low, auroc.high))
    tables: list[Table] = []
    notes: list[str] = []
    if rows:
        columns = ("signal", "AUROC", "95% interval", "adj. p", "n", "works?")
        tables.append(Table(columns, tuple(rows), tuple(spans)))
        notes.append(
            "AUROC: how well the signal ranks wrong answers above right ones; 0.5 is chance. Adjusted p: Holm."
        )
        notes.append("Not shown to work: the interval holds 0.5, or the adjusted p is 0.05 or more.")
    notes += _wider_intervals(report.signals)
    notes += _unscored(report.signals)
    if full:
        scored = report.validity.questions_scored
        tables += _signal_details({name: x for name, x in report.signals.items() if x.missing < scored})
    return Section("Signals", tables=tuple(tables), notes=_plain(notes))


def _wider_intervals(signals: Mapping[str, SignalScore]) -> list[str]:
    """Return the interval over categories of every signal that has one."""
    aurocs = {name: signal.auroc for name, signal in signals.items() if isinstance(signal.auroc, Auroc)}
    return [
        f"{name}: wider over categories, {interval(auroc.by_category.low, auroc.by_category.high)}."
        for name, auroc in aurocs.items()
        if auroc.by_category is not None
    ]


def _unscored(signals: Mapping[str, SignalScore]) -> list[str]:
    """Return the signals without an AUROC, by reason."""
    by_reason: dict[str, list[str]] = {}
    for name, signal in signals.items():
        if isinstance(signal.auroc, Undefined):
            by_reason.setdefault(signal.auroc.reason, []).append(name)
    return [f"Not scored: {', '.join(names)} ({reason})." for reason, names in by_reason.items()]


def _signal_details(signals: Mapping[str, SignalScore]) -> list[Table]:
    """Return what each signal costs, and what it does on parts; two tables, so that names fit beside the figures."""
    costs = tuple(
        (
            plain(name),
            signal.boundary,
            signal.cost.cost_class,
            _seconds(signal.cost.seconds_per_question),
            _seconds(signal.cost.own_seconds_per_question),
            _tokens(signal.cost.tokens_per_question),
            count(signal.missing),
        )
        for name, signal in signals.items()
    )
    parts = tuple(
        (
            plain(name),
            _area(signal.auroc_single_cluster),
            _area(signal.auroc_multi_cluster),
            _mean(signal.cohens_d),
        )
        for name, signal in signals.items()
    )
    return [
        Table(("signal", "from", "cost", "time", "of it own", "tokens", "missing"), costs),
        Table(("signal", "one cluster", "several", "Cohen's d"), parts),
    ]


def _seconds(seconds: float | Undefined) -> str:
    return MISSING if isinstance(seconds, Undefined) else duration(seconds)


def _tokens(tokens: float | Undefined) -> str:
    return MISSING if isinstance(tokens, Undefined) else count(round(tokens))


def _area(auroc: Auroc | Undefined) -> str:
    return MISSING if isinstance(auroc, Undefined) else decimal(auroc.value)
