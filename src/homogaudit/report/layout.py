"""The report as sections in reading order: what was run, whether it is valid, what follows, the figures.

Figures write themselves by their definitions; here is only which stand together, and the sentences around them.
"""

from collections.abc import Mapping
from dataclasses import replace

from homogaudit.codec import finite
from homogaudit.report.analysis_layout import analysis_sections
from homogaudit.report.cascade_layout import cascade_section, pointer_section
from homogaudit.report.diversity_layout import diversity_section
from homogaudit.report.gates import gate_section
from homogaudit.report.level import MILD, SEVERE
from homogaudit.report.numbers import (
    count,
    decimal,
    decimal_and_interval,
    duration,
    interval,
    percent,
    percent_and_interval,
    share,
)
from homogaudit.report.parts import (
    AUROC_AXIS,
    SIGNAL,
    by_reason,
    figure_table,
    line,
    notes,
    record_table,
    signal_term,
    text_table,
)
from homogaudit.report.records import (
    Auroc,
    DrawCounts,
    EntropyBounds,
    Labels,
    MethodFigures,
    Report,
    ThresholdPoint,
    TokenEntropies,
    Undefined,
    Validity,
    Verdict,
)
from homogaudit.report.run_data import mapping
from homogaudit.report.section import Axis, Bar, Column, Curve, Curves, Line, Part, Row, Section, Table, Tone
from homogaudit.report.side_by_side_layout import agreement_sections, judge_parts, model_sections
from homogaudit.report.text import plain
from homogaudit.statistics import Rate

LEVEL_TONES: Mapping[str, Tone] = {
    "none": "good",
    "at most mild": "doubtful",
    "mild": "doubtful",
    "at least mild": "bad",
    "severe": "bad",
    "undecided": "doubtful",
    "not judged": "doubtful",
    "invalid": "bad",
}
SCR_AXIS = Axis(marks=(MILD, SEVERE), label=f"{MILD:.0%} mild, {SEVERE:.0%} severe", percent=True)


def sections(report: Report) -> tuple[Section, ...]:
    """Return all sections; one whose figures were left for the full report is not among them."""
    found = (
        _run(report),
        _validity(report.validity),
        _verdict(report.verdict),
        *gate_section(report),
        _homogenization(report),
        *model_sections(report.homogenization.models),
        *agreement_sections(report.homogenization.agreement),
        diversity_section(report),
        _labels(report),
        _signals(report),
        *analysis_sections(report),
        cascade_section(report.cascade),
        *pointer_section(report.pointer),
    )
    return tuple(_of_audited(_with_fixed_n(section, report), report) for section in found)


_WITHOUT_FIXED_N = ("run", "validity", "verdict", "gates", "homogenization")


def _with_fixed_n(section: Section, report: Report) -> Section:
    """Say of the intervals of a run that stops once it is decided which ones are fixed-n."""
    found = report.run.deciding
    if found is None:
        return section
    if section.key == "homogenization":
        text = (
            "Intervals of SCR by clustering and by threshold are confidence sequences, which hold at any number of "
            "questions. All others are fixed-n: they hold where that number was set beforehand."
        )
    elif found.is_stopped and section.key not in _WITHOUT_FIXED_N:
        text = "Of a stopped run: intervals are fixed-n, and hold where the number of questions was set beforehand."
    else:
        return section
    return replace(section, parts=(*section.parts, line(text, "until_decided", "muted")))


def _of_audited(section: Section, report: Report) -> Section:
    """Say of the figures of a run for the rate alone what they rest on."""
    found = report.run.rate_alone
    if found is None or section.key in ("run", "validity", "verdict", "gates"):
        return section
    text = f"Of {count(found.questions_audited)} audited questions, which are a random share drawn to the end."
    if section.key == "homogenization":
        text = (
            f"SCR by clustering and by threshold is an estimate over {count(found.questions)} questions, of which "
            f"{count(found.questions_stopped)} are drawn no further than {found.first_samples} samples. All else is of "
            f"{count(found.questions_audited)} audited questions, which are a random share drawn to the end."
        )
    return replace(section, parts=(*section.parts, line(text, "rate_alone", "muted")))


def _run(report: Report) -> Section:
    """Return what was audited, how, and on what."""
    run = report.run
    without = "labels without answers" if report.validity.greedy is None else "greedy answers only"
    drawn = f"{count(run.samples)} samples each" if run.samples else without
    facts = [f"{count(run.questions)} questions of `{run.question_source}`, {drawn}"]
    samplers = {**run.decoding, **mapping(run.decoding.get("samples"))}
    named = {"temperature": "temperature {:g}", "max_tokens": "at most {:g} tokens", "seed": "seed {:g}"}
    known = {words: finite(samplers.get(name)) for name, words in named.items()}
    facts += [words.format(value) for words, value in known.items() if value is not None]
    status = f"Run {run.id[:12]}, {run.state}, begun {run.created}"
    if not isinstance(run.seconds, Undefined):
        device = f" on {run.device}" if isinstance(run.device, str) else ""
        status += f", {duration(run.seconds)} of work{device}"
    lines = [line(f"Model: {run.model}", "model"), line(", ".join(facts), "question_source"), line(status, "run")]
    if run.embedder is not None:
        lines.append(line(f"Embedder: {run.embedder}", "embedder"))
    elif run.embedder_reason:
        lines.append(line(f"No embedder: {run.embedder_reason}", "embedder"))
    if run.asked_in is not None:
        lines.append(line(f"Asked about its answers in {run.asked_in}", "asked_in"))
    lines += _entropy_lines(run.token_entropies)
    parts: list[Part] = [*lines]
    if not isinstance(run.phases, Undefined):
        parts.append(record_table(run.phases, Column("phase", "phases"), ("seconds", "share")))
    made = {"Python and packages": run.versions, "prompting": run.prompting, "model": run.model_details}
    rows = [
        (f"{kind}: {name}", str(value)) for kind, x in made.items() for name, value in x.items() if value is not None
    ]
    table = text_table((Column("versions", "versions"), Column("value", "value")), rows, "versions")
    return Section("run", "Run", "run", (*parts, *([table] if rows else [])))


def _entropy_lines(found: TokenEntropies) -> list[Line]:
    """Return how far token entropies are known; nothing of exact ones, which are what a reader expects."""
    if found.entropy_source == "not available":
        return [line(f"Token entropies: not available, {found.reason}", "token_entropy")]
    if found.entropy_source != "bounded":
        return []
    parts = [f"{name} {_entropy_bounds(x)}" for name, x in (("greedy", found.greedy), ("samples", found.samples))]
    text = (
        f"Token entropies: bounded by the top {found.top_logprobs} log-probabilities, nats a token on average: "
        f"{'; '.join(parts)}. Signals of the greedy answer take the lower bound"
    )
    return [line(text, "entropy_bounds")]


def _entropy_bounds(found: EntropyBounds | Undefined) -> str:
    if isinstance(found, Undefined):
        return f"not available, {found.reason}"
    known = f"{count(found.bounded_tokens)} tokens, {percent(found.tokens_share)} of those drawn"
    if isinstance(found.high, Undefined) or isinstance(found.width, Undefined):
        return f"at least {decimal(found.low)} ({known})"
    return f"{decimal(found.low)} to {decimal(found.high)} (width {decimal(found.width)}; {known})"


def _validity(found: Validity) -> Section:
    """Return the counts of the draws under the warnings that they give."""
    parts: list[Part] = [line(text, "warnings", "warning") for text in found.warnings]
    parts.append(line(f"{share(found.questions_scored, found.questions)} questions are scored.", "scored_question"))
    if not found.warnings:
        parts.append(line("Nothing found that spoils the figures.", "validity"))
    draws: dict[str, DrawCounts] = {}
    if found.samples:
        draws["samples"] = DrawCounts(
            drawn=found.samples,
            valid=found.samples_valid,
            truncated=found.truncated,
            thinking_unclosed=found.thinking_unclosed,
            empty=found.empty,
            refusals=found.refusals,
            errors=found.errors,
        )
    if found.greedy is not None:
        draws["greedy"] = found.greedy
    if draws:
        paths = ("drawn", "valid", "truncated", "thinking_unclosed", "empty", "refusals", "errors")
        parts.append(record_table(draws, Column("draws", "sample"), paths, term=lambda name: name.removesuffix("s")))
    if isinstance(found.duplicated, Undefined) and found.samples:
        parts.append(line(f"Repeated samples are not counted: {found.duplicated.reason}.", "duplicated"))
    return Section("validity", "Validity", "validity", tuple(parts), "warning" if found.warnings else "")


def _verdict(verdict: Verdict) -> Section:
    sentences = tuple(line(text, "sentences") for text in verdict.sentences)
    return Section("verdict", f"Verdict: {verdict.level}", "level", sentences, LEVEL_TONES[verdict.level])


def _homogenization(report: Report) -> Section:
    """Return the rates of every clustering, the sweeps and the histograms."""
    found = report.homogenization
    parts: list[Part] = []
    rates = [x.scr for x in found.methods.values()]
    if not found.methods:
        parts.append(line("No clustering is stored.", "clustering"))
    elif all(isinstance(x, Undefined) for x in rates + [x.scr_worst_case for x in found.methods.values()]):
        reasons = dict.fromkeys(x.reason for x in rates if isinstance(x, Undefined))
        parts += [line(f"Not judged: {reason}.", "scr") for reason in reasons]
    else:
        marked = {
            name + (" *" if len(rates) > 1 and name == found.primary else ""): x for name, x in found.methods.items()
        }
        paths = ("threshold", "scr", "level_rate.interval", "scr.of", "level")
        first = Column("clustering", "clustering")
        parts.append(record_table(marked, first, paths, term=lambda _: "scr", mark="level_rate", axis=SCR_AXIS))
        if len(rates) > 1:
            parts.append(line("* decides the verdict.", "primary", "muted"))
        on_pairs = ("pairs_auroc", "pairs_auroc.interval", "false_merges", "false_splits")
        title = "On pairs of answers labelled by hand"
        parts.append(record_table(marked, first, on_pairs, title=title, term=lambda _: "pairs_auroc"))
        parts += [_curves(found.methods, found.primary), _size_curves(found.methods)]
        for name, figures in found.methods.items():
            parts += _method_parts(name, figures)
    return Section("homogenization", "Homogenization", "scr", tuple(x for x in parts if not _is_empty(x)))


def _is_empty(part: Part) -> bool:
    return isinstance(part, Curves) and not part.curves


def _method_parts(name: str, figures: MethodFigures) -> list[Part]:
    """Return the figures of one clustering, its sweeps and its histogram."""
    without = ("threshold", *(() if figures.questions_missing else ("questions_missing",)))
    parts: list[Part] = [figure_table(figures, f"By {plain(name)}", without=without)]
    if any(x.refused_in_single_cluster.k for x in figures.refused_by_category.values()):
        paths = ("refused_in_single_cluster", "refused_in_single_cluster.interval", "refused_in_single_cluster.of")
        first, title = Column("category", "categories"), f"{plain(name)}: refusals by category"
        parts.append(record_table(figures.refused_by_category, first, paths, title=title))
    point = figures.calibrated_threshold
    if isinstance(figures.scr, Undefined):
        parts.append(line(f"{name}: no SCR, {figures.scr.reason}.", "scr"))
    if not isinstance(point, Undefined):
        text = (
            f"{name} SCR at the calibrated threshold {decimal(point.threshold)}: {percent_and_interval(point.scr)}. "
            f"It is set on pairs of answers and does not transfer exactly to {figures.linkage} linkage."
        )
        parts.append(line(text, "calibrated_threshold"))
    if figures.thresholds:
        # A calibrated threshold may lie between those of the sweep.
        places = 2 if all(round(x.threshold, 2) == x.threshold for x in figures.thresholds) else 3
        points = {decimal(x.threshold, places): x for x in figures.thresholds}
        first = Column("threshold", "threshold")
        parts.append(
            record_table(
                points, first, ("scr", "level_rate.interval", "level", "mean_clusters"), title=f"{name}: by threshold"
            )
        )
    if figures.sample_sizes:
        sizes = {str(x.k): x for x in figures.sample_sizes}
        paths = ("first_k", "random_k", "random_k.interval")
        first = Column("samples", "sample_sizes")
        parts.append(record_table(sizes, first, paths, title=f"{name}: by number of samples"))
    if figures.histogram:
        longest = max(x.questions for x in figures.histogram)
        rows = tuple(
            Row((str(x.clusters), count(x.questions)), "clusters", mark=Bar(x.questions / longest))
            for x in figures.histogram
        )
        columns = (Column("clusters", "clusters"), Column("questions", "scored_question"))
        parts.append(Table(columns, rows, f"{name}: questions by number of clusters"))
    return parts


def _curves(methods: Mapping[str, MethodFigures], primary: str | None) -> Curves:
    """Return SCR over thresholds, a line a clustering."""
    curves = tuple(
        Curve(
            plain(name),
            tuple(x.threshold for x in figures.thresholds),
            tuple(x.scr.value for x in figures.thresholds),
            tuple(_judged(x).low for x in figures.thresholds),
            tuple(_judged(x).high for x in figures.thresholds),
        )
        for name, figures in methods.items()
        if figures.thresholds
    )
    marks: tuple[float, ...] = ()
    if primary is not None:
        points = (methods[primary], methods[primary].calibrated_threshold)
        marks = tuple(x.threshold for x in points if not isinstance(x, Undefined) and x.threshold is not None)
    label = "similarity from which answers join"
    return Curves("SCR by threshold", "threshold", curves, label, x_marks=marks, y_marks=(MILD, SEVERE))


def _judged(point: ThresholdPoint) -> Rate:
    """Return a point with the interval that a level goes by, or its own where none is given."""
    return point.scr if isinstance(point.level_rate, Undefined) else point.level_rate


def _size_curves(methods: Mapping[str, MethodFigures]) -> Curves:
    """Return SCR over numbers of samples; a point without an interval has a band of no width there."""
    curves: list[Curve] = []
    for name, figures in methods.items():
        points = [x.random_k for x in figures.sample_sizes]
        if points:
            values = tuple(x.value for x in points)
            lows = tuple(x.value if x.low is None else x.low for x in points)
            highs = tuple(x.value if x.high is None else x.high for x in points)
            curves.append(Curve(plain(name), tuple(float(x.k) for x in figures.sample_sizes), values, lows, highs))
    return Curves(
        "SCR by number of samples", "sample_sizes", tuple(curves), "samples a question", y_marks=(MILD, SEVERE)
    )


def _labels(report: Report) -> Section:
    """Return what every judge says."""
    labels = report.labels
    if labels.judge is None:
        lines = [line(f"No judge: {labels.reason}.", "judge")]
        if labels.judges:
            others = ", ".join(labels.judges)
            lines.append(line(f"Labels of other scorings: {others}; `report --judge` goes by one of them.", "judge"))
        return Section("labels", "Labels", "judge", tuple(lines))
    chosen = line(f"Judge: {labels.judge}" + (f" ({labels.reason})" if labels.reason else ""), "judge")
    paths = ("correct", "incorrect", "ambiguous", "no_match", "accuracy", "accuracy.interval")
    table = record_table(labels.judges, Column("judge", "judge"), paths)
    of_samples = labels.sample_accuracy
    samples = (
        ()
        if isinstance(of_samples, Undefined)
        else (line(f"Accuracy of samples: {percent_and_interval(of_samples)}.", "sample_accuracy"),)
    )
    return Section("labels", "Labels", "judge", (chosen, table, *samples, *_beside(labels), *judge_parts(labels)))


def _beside(labels: Labels) -> list[Line]:
    """Return what stands beside the accuracy, where it means something for these questions."""
    found: list[Line] = []
    if labels.judge == "exact" and not isinstance(labels.token_f1, Undefined):
        said = f"Word F1 of answers and references: {decimal_and_interval(labels.token_f1)}."
        found.append(line(said, "token_f1"))
    before, after = labels.accuracy_before_cutoff, labels.accuracy_after_cutoff
    if not isinstance(before, Undefined) and not isinstance(after, Undefined):
        said = f"Accuracy before the training cutoff {percent_and_interval(before)}, after it "
        found.append(line(f"{said}{percent_and_interval(after)}.", "accuracy_after_cutoff"))
    return found


def _signals(report: Report) -> Section:
    """Return what every signal is worth."""
    if not report.signals:
        return Section("signals", "Signals", "signals", (line("No signal is stored.", "uncertainty_signal"),))
    scored = {name: x for name, x in report.signals.items() if isinstance(x.auroc, Auroc)}
    stored = {name: x for name, x in report.signals.items() if x.missing < report.validity.questions_drawn}
    parts: list[Part] = []
    if scored:
        paths = ("auroc.value", "auroc.interval", "auroc.p_holm", "auroc.n", "auroc.reading")
        parts.append(record_table(scored, SIGNAL, paths, term=signal_term, mark="auroc", axis=AUROC_AXIS))
        texts = (
            "AUROC: how well the signal ranks wrong answers above right ones; 0.5 is chance. Adjusted p: Holm.",
            "Not shown: the interval holds 0.5, or the adjusted p is 0.05 or more.",
        )
        parts += notes(texts, "auroc")
        parts += [
            line(f"{name}: wider over categories, {interval(wider.low, wider.high)}, which decides.", "by_category")
            for name, x in scored.items()
            if isinstance(x.auroc, Auroc) and (wider := x.auroc.by_category) is not None
        ]
        within = [name for name, x in scored.items() if isinstance(x.auroc, Auroc) and x.auroc.within_categories]
        if within:
            said = "tested within categories, which they mostly tell apart"
            parts.append(line(f"{', '.join(within)}: {said}.", "within_categories"))
    unscored = {name: x.auroc.reason for name, x in report.signals.items() if isinstance(x.auroc, Undefined)}
    parts += [line(f"Not scored: {names} ({reason}).", "undefined") for names, reason in by_reason(unscored)]
    costs = (
        "boundary",
        "cost.cost_class",
        "cost.seconds_per_question",
        "cost.own_seconds_per_question",
        "cost.tokens_per_question",
        "missing",
    )
    if stored:
        parts.append(record_table(stored, SIGNAL, costs, term=signal_term, title="What each costs, a question"))
    if scored:
        strata = ("auroc_single_cluster", "auroc_multi_cluster", "cohens_d")
        title = "AUROC by how many clusters a question has, and effect size"
        parts.append(record_table(scored, SIGNAL, strata, term=signal_term, title=title))
    return Section("signals", "Signals", "signals", tuple(parts))
