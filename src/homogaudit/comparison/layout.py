"""A comparison as sections: the short account, then everything. It computes no figure and words nothing twice."""

from collections.abc import Mapping, Sequence

from homogaudit.comparison.pairing import described
from homogaudit.comparison.records import (
    AurocChange,
    Cluster,
    ComparedRun,
    Comparison,
    MeanChange,
    RateChange,
    RunPair,
)
from homogaudit.report.figure import figures
from homogaudit.report.numbers import MISSING, count, decimal, interval, p_value, share
from homogaudit.report.parts import SIGNAL, by_reason, line, notes, record_table, signal_term, text_table
from homogaudit.report.records import RefusedCategory
from homogaudit.report.section import Axis, Column, Line, Part, Section, Tone
from homogaudit.report.text import shorten
from homogaudit.report.undefined import Undefined
from homogaudit.statistics import Estimate, Rate

LEVEL = 0.05
_RUN = Column("run", "run")
_SHOWN = 3
"""Flipped questions, and left-out ids, that the terminal shows."""
_FLIPS = 20
"""Flipped questions of a kind that the full comparison shows; JSON has all."""
_LONGEST = 70
"""Characters of an answer beside its question."""


def sections(found: Comparison) -> tuple[Section, ...]:
    """Return everything but the short account."""
    return (
        _runs(found),
        _differences(found),
        *(_changes(name, pair, found) for name, pair in found.pairs.items()),
        *_signal_means(found),
        *(_flips(name, pair, found) for name, pair in found.pairs.items()),
        *_left_out(found),
    )


def summary(found: Comparison) -> Section:
    """Return the short account: 20 lines of 80 columns for two runs."""
    parts: list[Part] = [*_forced(found)]
    parts.append(_compared(found))
    parts += _differs(found)
    paths = ("scr", "scr.interval", "mean_clusters", "mean_token_entropy", "accuracy")
    parts.append(record_table(_marked(found), _RUN, paths))
    if len(found.pairs) == 1:
        for pair in found.pairs.values():
            parts += _pair_lines(pair)
    else:
        rates = {x: pair.rate for x, pair in found.pairs.items()}
        paths = ("difference", "difference.interval", "p", "p_equivalent", "reading")
        parts.append(record_table(rates, Column(f"against {found.baseline}", "change"), paths))
    parts += [line(f"{text}.", "brought", label="" if at else "Alike") for at, text in enumerate(found.brought)]
    parts += [
        line(f"{shorten(text, 136)}.", "warnings", label="" if at else "Caution")
        for at, text in enumerate(found.warnings[:2])
    ]
    return Section("comparison", _title(found), "change", tuple(parts), _tone(found))


def _title(found: Comparison) -> str:
    if len(found.pairs) > 1:
        return f"{count(len(found.runs))} runs compared, baseline {found.baseline}"
    ((name, pair),) = found.pairs.items()
    if isinstance(pair.rate, Undefined):
        return f"{name} against {found.baseline}: not compared"
    told = {
        "higher": "more homogenized",
        "lower": "less homogenized",
        "not shown": "no difference shown",
    }[pair.rate.reading]
    if pair.rate.reading == "not shown" and pair.rate.p_equivalent < LEVEL:
        told = f"the same within {decimal(100 * found.margin, 0)} points"
    return f"{name} against {found.baseline}: {told}"


def _tone(found: Comparison) -> Tone:
    readings = {x.rate.reading for x in found.pairs.values() if isinstance(x.rate, RateChange)}
    return "bad" if "higher" in readings else "good" if "lower" in readings else ""


def _forced(found: Comparison) -> list[Line]:
    """Return what should have kept the runs from being compared."""
    return [line(f"compared by force: {text}", "forced", "warning") for text in found.forced]


def _compared(found: Comparison) -> Line:
    by = "each run by its own clustering" if found.clustering is None else f"by {described(found.clustering)}"
    labels = f", labels by {found.judge.partition('#')[0]}" if found.judge else ""
    text = f"{count(found.questions)} questions in common, {found.samples} samples each, {by}{labels}."
    return line(text, "paired", label="Compared")


def _differs(found: Comparison) -> list[Line]:
    """Return what the runs differ in, and whether an effect can be laid to it."""
    names = {name: [x.name for x in pair.differs] for name, pair in found.pairs.items()}
    every = dict.fromkeys(x for own in names.values() for x in own)
    if not every:
        return [line("Nothing that is recorded of how they were drawn.", "differs", label="Differs")]
    if len(found.pairs) == 1:
        ((_, pair),) = found.pairs.items()
        told = ", ".join(f"{x.name} ({shorten(x.run, 34)} against {shorten(x.baseline, 34)})" for x in pair.differs)
    else:
        told = ", ".join(every)
    more = max(map(len, names.values())) > 1
    text = f"{told}{'; an effect is not attributable to one of these' if more else ''}."
    return [line(text, "differs", "doubtful" if more else "", label="Differs")]


def _marked(found: Comparison) -> dict[str, ComparedRun]:
    return {f"{name} *" if name == found.baseline else name: x for name, x in found.runs.items()}


def _pair_lines(pair: RunPair) -> list[Line]:
    """Return what is found of a run against the baseline."""
    lines: list[Line] = []
    if isinstance(pair.rate, Undefined):
        return [*lines, line(f"Not known: {pair.rate.reason}.", "change", label="Rate")]
    change = pair.rate
    tone: Tone = "bad" if change.reading == "higher" else "good" if change.reading == "lower" else ""
    lines.append(
        line(
            f"{_points(change)}, McNemar p {p_value(change.p)}: of {count(change.difference.n)} questions "
            f"{count(change.difference.only_first)} have one cluster only here, "
            f"{count(change.difference.only_second)} only in the baseline.",
            "mcnemar",
            tone,
            label="Rate",
        )
    )
    is_same = change.p_equivalent < LEVEL
    margin = decimal(100 * change.margin, 0)
    lines.append(
        line(
            f"{'Yes' if is_same else 'Not shown'}, within {margin} points: p {p_value(change.p_equivalent)}.",
            "p_equivalent",
            label="Same?",
        )
    )
    lines += _kept(pair)
    lines += _tested(pair)
    lines += _flip_lines(pair)
    return lines


def _points(change: RateChange) -> str:
    """Return a difference of rates in points with its interval."""
    found = change.difference
    sign = "+" if found.value > 0 else ""
    return f"{sign}{decimal(100 * found.value, 1)} points {interval(100 * found.low, 100 * found.high, 1)}"


def _kept(pair: RunPair) -> list[Line]:
    """Return what is left of the diversity beside what is left of the token entropy."""
    clusters, entropy = pair.means["mean_clusters"], pair.means["mean_token_entropy"]
    if isinstance(clusters, Undefined):
        return [line(f"Not known: {clusters.reason}.", "ratio", label="Ratios")]
    told = f"{_ratio(clusters)} of the clusters"
    if isinstance(entropy, Undefined):
        return [line(f"{told}; token entropy not known: {entropy.reason}.", "ratio", label="Ratios")]
    lost = isinstance(clusters.ratio, Estimate) and (clusters.ratio.high or 1) < 1
    kept = lost and isinstance(entropy.ratio, Estimate) and (entropy.ratio.low or 0) > (_high(clusters.ratio) or 1)
    ends = ": entropy is kept while diversity is lost." if kept else "."
    text = f"{told}, {_ratio(entropy)} of the token entropy{ends}"
    return [line(text, "ratio", "doubtful" if kept else "", label="Ratios")]


def _high(ratio: Estimate | Undefined) -> float | None:
    return None if isinstance(ratio, Undefined) else ratio.high


def _ratio(change: MeanChange) -> str:
    if isinstance(change.ratio, Undefined):
        return f"{decimal(change.run, 2)} against {decimal(change.baseline, 2)}"
    low, high = change.ratio.low, change.ratio.high
    bounds = "" if low is None else f" {interval(low, high, 2)}"
    return f"{decimal(change.ratio.value, 2)}{bounds}"


def _tested(pair: RunPair) -> list[Line]:
    """Return how many of the other tests find a difference, and which."""
    changes: dict[str, RateChange | MeanChange | AurocChange | Undefined] = {
        "accuracy": pair.accuracy,
        **{_mean_name(name): x for name, x in pair.means.items()},
        **{f"AUROC of {name}": x for name, x in pair.aurocs.items()},
    }
    made = {name: x for name, x in changes.items() if not isinstance(x, Undefined)}
    if not made:
        return []
    differing = [f"{name} {x.reading}" for name, x in made.items() if x.reading != "not shown"]
    named = ", ".join(differing[:_SHOWN]) + (
        f" and {count(len(differing) - _SHOWN)} more" if differing[_SHOWN:] else ""
    )
    text = f"{named or 'no difference shown'} (of {count(len(made))} other tests, adjusted p below 0.05)."
    return [line(text[0].upper() + text[1:], "p_holm", label="Others")]


def _mean_name(name: str) -> str:
    """Return what people read for a mean over questions."""
    return figures(ComparedRun)[name].name


def _flip_lines(pair: RunPair) -> list[Line]:
    """Return how many questions flipped, and one of them."""
    told = f"{_questions(len(pair.to_one))} from several clusters to one, {count(len(pair.from_one))} back"
    example = pair.to_one or pair.from_one
    shown = f", such as: {shorten(example[0].question, _LONGEST)}" if example else ""
    return [line(f"{told}{shown}", "flipped", label="Flipped")]


def _questions(n: int) -> str:
    return f"{count(n)} question{'' if n == 1 else 's'}"


def _runs(found: Comparison) -> Section:
    """Return every run's own figures over the compared questions."""
    marked = _marked(found)
    facts = [
        (name, x.path, x.model, x.family or "-", x.stage or "-", count(x.questions), count(x.drawn_samples))
        for name, x in marked.items()
    ]
    columns = (
        _RUN,
        Column("file"),
        Column("model", "model"),
        Column("family", "stage"),
        Column("stage", "stage"),
        Column("questions", "scored_question"),
        Column("samples", "sample"),
    )
    axis = Axis(percent=True)
    rates = ("scr", "scr.interval", "scr.of")
    errors = ("wrong_in_single_cluster", "wrong_in_single_cluster.interval", "accuracy", "accuracy.interval")
    parts: list[Part] = [
        *_forced(found),
        text_table(columns, facts, "run"),
        line(f"* the baseline. Figures are over the {_questions(found.questions)} in common.", "paired", "muted"),
        record_table(marked, _RUN, rates, title="Single-cluster rate", mark="scr", axis=axis),
        record_table(marked, _RUN, errors, title="Errors that sampling misses, and accuracy"),
        *_refusals(marked),
    ]
    for name in ("mean_clusters", "mean_semantic_entropy", "mean_pairwise_similarity", "mean_token_entropy"):
        parts.append(record_table(marked, _RUN, (name, f"{name}.interval", f"{name}.of")))
    if found.judge is None:
        parts.append(line(f"No labels: {found.judge_reason}.", "judge", "muted"))
    return Section("runs", "Runs", "run", tuple(parts))


def _refusals(runs: Mapping[str, ComparedRun]) -> list[Part]:
    """Return the refusals among single clusters, by category too; nothing where no run has any."""
    rates = {name: x.refused_in_single_cluster for name, x in runs.items()}
    if not any(isinstance(x, Rate) and x.k for x in rates.values()):
        return []
    own = "refused_in_single_cluster"
    parts: list[Part] = [record_table(runs, _RUN, (own, f"{own}.interval", f"{own}.of"), title="Refusals")]
    categories = dict.fromkeys(category for x in runs.values() for category in x.refused_by_category)
    rows = [
        (category, *(_refused_of(x.refused_by_category.get(category)) for x in runs.values()))
        for category in categories
    ]
    if rows:
        columns = (Column("category", "categories"), *(Column(name, "run") for name in runs))
        parts.append(text_table(columns, rows, own, "Refusals among single clusters, by category"))
    return parts


def _refused_of(found: RefusedCategory | None) -> str:
    rate = found and found.refused_in_single_cluster
    return share(rate.k, rate.n) if rate else MISSING


def _differences(found: Comparison) -> Section:
    """Return everything in which the runs were drawn otherwise."""
    rows = [(name, x.name, x.run, x.baseline) for name, pair in found.pairs.items() for x in pair.differs]
    parts: list[Part] = [*_differs(found)]
    if rows:
        columns = (_RUN, Column("what", "differs"), Column("run"), Column("baseline", "baseline"))
        parts.append(text_table(columns, rows, "differs"))
    parts += [line(f"{text}.", "brought") for text in found.brought]
    return Section("differences", "What differs", "differs", tuple(parts))


def _changes(name: str, pair: RunPair, found: Comparison) -> Section:
    """Return every test of a run against the baseline."""
    key = f"against-{list(found.pairs).index(name) + 1}"
    title = f"{name} against {found.baseline}"
    parts: list[Part] = [*_pair_lines(pair)]
    rates = {
        x: change for x, change in (("SCR", pair.rate), ("accuracy", pair.accuracy)) if isinstance(change, RateChange)
    }
    paths = (
        "baseline",
        "run",
        "difference",
        "difference.interval",
        "p",
        "p_holm",
        "p_equivalent",
        "reading",
    )
    terms = {"SCR": "scr"}
    parts.append(
        record_table(rates, Column("rate", "change"), paths, title="Rates", term=lambda x: terms.get(x, "accuracy"))
    )
    means = {_mean_name(x): change for x, change in pair.means.items() if isinstance(change, MeanChange)}
    of = {_mean_name(x): x for x in pair.means}
    paths = (
        "baseline",
        "run",
        "difference",
        "difference.interval",
        "ratio",
        "ratio.interval",
        "p",
        "p_holm",
        "reading",
    )
    first = Column("mean over questions", "change")
    parts.append(record_table(means, first, paths, title="Means, by Wilcoxon's signed-rank test", term=of.__getitem__))
    aurocs = {x: change for x, change in pair.aurocs.items() if isinstance(change, AurocChange)}
    paths = (
        "baseline.value",
        "run.value",
        "difference",
        "difference.interval",
        "p",
        "p_holm",
        "p_equivalent",
        "reading",
    )
    parts.append(record_table(aurocs, SIGNAL, paths, title="AUROC of each signal", term=signal_term))
    reasons = {_mean_name(x): change.reason for x, change in pair.means.items() if isinstance(change, Undefined)}
    reasons |= {x: change.reason for x, change in pair.aurocs.items() if isinstance(change, Undefined)}
    if isinstance(pair.accuracy, Undefined):
        reasons["accuracy"] = pair.accuracy.reason
    parts += [line(f"Not compared: {names} ({reason}).", "undefined", "muted") for names, reason in by_reason(reasons)]
    told = (
        "The difference of the single-cluster rates is tested alone; adjusted p: Holm over all others of this pair.",
        "Equal p: small where the difference is shown to lie within the margin.",
    )
    parts += notes(told, "change")
    return Section(key, title, "change", tuple(parts))


def _signal_means(found: Comparison) -> tuple[Section, ...]:
    """Return the mean of every signal, a column a run."""
    columns: dict[str, Mapping[str, Estimate | Undefined]] = {
        name: x.means for name, x in found.runs.items() if not isinstance(x.means, Undefined)
    }
    if not columns:
        return ()
    names = dict.fromkeys(name for own in columns.values() for name in own)
    rows = [
        (name, *(decimal(x.value) if isinstance(x := own.get(name), Estimate) else "-" for own in columns.values()))
        for name in names
    ]
    shown = [row for row in rows if set(row[1:]) != {"-"}]
    headings = [SIGNAL, *(Column(f"{x} *" if x == found.baseline else x, "run") for x in columns)]
    note = line(
        "Means over the questions that have the signal; higher is more uncertain. JSON has their intervals.",
        "stage",
        "muted",
    )
    table = text_table(headings, shown, "uncertainty_signal")
    return (Section("signal-means", "Signals by run", "stage", (table, note)),)


def _flips(name: str, pair: RunPair, found: Comparison) -> Section:
    """Return the questions that flipped, with their answers."""
    parts: list[Part] = []
    kinds = (("From several clusters to one", pair.to_one), ("From one cluster to several", pair.from_one))
    for title, flipped in kinds:
        parts.append(line(f"{title}: {_questions(len(flipped))}.", "flipped"))
        columns = (Column("question", "flipped"), Column(found.baseline, "baseline"), Column(name, "run"))
        rows = [(shorten(x.question, _LONGEST), _answers(x.baseline), _answers(x.run)) for x in flipped[:_FLIPS]]
        if rows:
            parts.append(text_table(columns, rows, "flipped"))
        if flipped[_FLIPS:]:
            parts.append(line(f"{count(len(flipped) - _FLIPS)} more in JSON.", "flipped", "muted"))
    return Section(f"flips-{list(found.pairs).index(name) + 1}", f"Flipped: {name}", "flipped", tuple(parts))


def _answers(clusters: Sequence[Cluster]) -> str:
    """Return the largest clusters of a question, each by what most of its samples say."""
    shown = [f"{x.samples}x {shorten(x.answer, _LONGEST)}" for x in clusters[:_SHOWN]]
    more = [f"{count(len(clusters) - _SHOWN)} more"] if clusters[_SHOWN:] else []
    return " | ".join([*shown, *more])


def _left_out(found: Comparison) -> tuple[Section, ...]:
    """Return the questions that are not compared."""
    if not found.left_out:
        return ()
    lines: list[Line] = []
    for x in found.left_out:
        ids = ", ".join(x.question_ids[:_SHOWN]) + (", ..." if x.question_ids[_SHOWN:] else "")
        lines.append(line(f"{_questions(len(x.question_ids))} {x.reason}: {ids}", "paired"))
    return (Section("left-out", "Left out", "paired", tuple(lines)),)
