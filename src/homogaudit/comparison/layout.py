"""A comparison as sections in reading order, after its short account. It computes no figure."""

from collections.abc import Mapping, Sequence

from homogaudit.comparison.across_layout import across_sections
from homogaudit.comparison.records import (
    AurocChange,
    Cluster,
    ComparedRun,
    Comparison,
    MeanChange,
    RateChange,
    RunPair,
)
from homogaudit.comparison.summary import (
    RUN,
    differs_lines,
    forced_lines,
    marked,
    mean_name,
    number_of_questions,
    pair_lines,
)
from homogaudit.report.numbers import MISSING, count, decimal, share
from homogaudit.report.parts import SIGNAL, by_reason, line, notes, record_table, signal_term, text_table
from homogaudit.report.records import RefusedCategory
from homogaudit.report.section import Axis, Column, Line, Part, Section
from homogaudit.report.side_by_side_records import Area
from homogaudit.report.text import plain, shorten
from homogaudit.report.undefined import Undefined
from homogaudit.statistics import Estimate, Rate

_CLUSTERS = 3
"""Of a flipped question, that are shown."""
_IDS = 5
"""Of questions that are left out, that are shown."""
_FLIPS = 20
"""Flipped questions of a kind that are shown; JSON has all."""
_LONGEST = 70
"""Characters of a question, or of an answer."""


def sections(found: Comparison) -> tuple[Section, ...]:
    """Return everything but the short account."""
    return (
        _runs(found),
        _differences(found),
        *(_changes(at, name, found) for at, name in enumerate(found.pairs, 1)),
        *_signal_means(found),
        *(_flips(at, name, found) for at, name in enumerate(found.pairs, 1)),
        *across_sections(found.across),
        *_left_out(found),
    )


def _runs(found: Comparison) -> Section:
    """Return every run's own figures over the compared questions."""
    runs = marked(found)
    facts = [
        (name, x.model, x.family or MISSING, x.stage or MISSING, count(x.questions), count(x.drawn_samples))
        for name, x in runs.items()
    ]
    columns = (
        RUN,
        Column("model", "model"),
        Column("family", "stage"),
        Column("stage", "stage"),
        Column("questions", "scored_question"),
        Column("samples", "sample"),
    )
    rates = ("scr", "scr.interval", "scr.of")
    missed = ("wrong_in_single_cluster", "wrong_in_single_cluster.interval", "wrong_in_single_cluster.of")
    accuracy = ("accuracy", "accuracy.interval", "accuracy.of")
    axis, shared = Axis(percent=True), number_of_questions(found.questions)
    parts: list[Part] = [
        *forced_lines(found),
        text_table(columns, facts, "run"),
        text_table((RUN, Column("file")), [(name, x.path) for name, x in runs.items()], "run"),
        line(f"* the baseline. Figures are over the {shared} in common.", "paired", "muted"),
        *(record_table(runs, RUN, paths, mark=paths[0], axis=axis) for paths in (rates, missed, accuracy)),
        *_refusals(runs),
    ]
    for name in ("mean_clusters", "mean_semantic_entropy", "mean_pairwise_similarity", "mean_token_entropy"):
        parts.append(record_table(runs, RUN, (name, f"{name}.interval", f"{name}.of")))
    parts += [line(f"{text}.", "warnings", "warning") for text in found.warnings]
    if found.judge is None:
        parts.append(line(f"No labels: {found.judge_reason}.", "judge", "muted"))
    return Section("runs", "Runs", "run", tuple(parts))


def _refusals(runs: Mapping[str, ComparedRun]) -> list[Part]:
    """Return the refusals among single clusters, by category too; nothing where no run has any."""
    rates = {name: x.refused_in_single_cluster for name, x in runs.items()}
    if not any(isinstance(x, Rate) and x.k for x in rates.values()):
        return []
    own = "refused_in_single_cluster"
    parts: list[Part] = [record_table(runs, RUN, (own, f"{own}.interval", f"{own}.of"), title="Refusals")]
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
    parts: list[Part] = [*differs_lines(found)]
    if rows:
        columns = (RUN, Column("what", "differs"), Column("its own", "run"), Column("baseline", "baseline"))
        parts.append(text_table(columns, rows, "differs"))
    parts += [line(f"{text}.", "brought") for text in found.brought]
    return Section("differences", "What differs", "differs", tuple(parts))


def _changes(at: int, name: str, found: Comparison) -> Section:
    """Return every test of a run against the baseline."""
    pair = found.pairs[name]
    parts: list[Part] = [*pair_lines(pair)]
    tested = ("difference", "difference.interval", "p_holm", "reading")
    both = {"SCR": pair.rate, "accuracy": pair.accuracy}
    rates = {x: change for x, change in both.items() if isinstance(change, RateChange)}
    paths = ("baseline", "run", "difference", "difference.interval", "p", "p_holm", "p_equivalent", "reading")
    title = "Rates, by McNemar's test"
    parts.append(record_table(rates, Column("rate", "change"), paths, title=title, term=_rate_term))
    means = {mean_name(x): change for x, change in pair.means.items() if isinstance(change, MeanChange)}
    terms = {mean_name(x): x for x in pair.means}
    mean = Column("mean", "change")
    title = "Means over questions, by Wilcoxon's signed-rank test"
    parts.append(record_table(means, mean, ("baseline", "run", *tested), title=title, term=terms.__getitem__))
    paths = ("ratio", "ratio.interval", "ratio.of")
    parts.append(record_table(means, mean, paths, title="What is left of each mean", term=terms.__getitem__))
    aurocs = {x: change for x, change in pair.aurocs.items() if isinstance(change, AurocChange)}
    title = "AUROC of each signal"
    parts.append(record_table(aurocs, SIGNAL, ("baseline", "run", *tested), title=title, term=signal_term))
    helps = {x: found for x, found in pair.tells_where_it_helps.items() if isinstance(found, Area)}
    if helps:
        title = plain(f"Which signals of {found.baseline} tell what it answers wrongly and {name} rightly")
        parts.append(record_table(helps, SIGNAL, ("value", "value.interval", "n"), title=title, term=signal_term))
    parts += [
        line(f"Not compared: {names} ({reason}).", "undefined", "muted") for names, reason in by_reason(_missing(pair))
    ]
    told = (
        "The difference of the single-cluster rates is tested alone; adjusted p: Holm over all other tests here.",
        "Equal p: small where the difference is shown to lie within the margin.",
    )
    parts += notes(told, "change")
    return Section(f"against-{at}", f"{name} against {found.baseline}", "change", tuple(parts))


def _rate_term(name: str) -> str:
    return "scr" if name == "SCR" else "accuracy"


def _missing(pair: RunPair) -> dict[str, str]:
    """Return why figures of a pair are missing, by what people read for them."""
    named = {"accuracy": pair.accuracy, **{mean_name(x): own for x, own in pair.means.items()}, **pair.aurocs}
    return {name: x.reason for name, x in named.items() if isinstance(x, Undefined)}


def _signal_means(found: Comparison) -> tuple[Section, ...]:
    """Return the mean of every signal, a column a run."""
    columns: dict[str, Mapping[str, Estimate | Undefined]] = {
        name: x.means for name, x in marked(found).items() if not isinstance(x.means, Undefined)
    }
    if not columns:
        return ()
    names = dict.fromkeys(name for own in columns.values() for name in own)
    rows = [
        (name, *(decimal(x.value) if isinstance(x := own.get(name), Estimate) else MISSING for own in columns.values()))
        for name in names
    ]
    shown = [row for row in rows if set(row[1:]) != {MISSING}]
    table = text_table((SIGNAL, *(Column(x, "run") for x in columns)), shown, "uncertainty_signal")
    text = "Means over the questions that have the signal; higher is more uncertain. JSON has their intervals."
    return (Section("signal-means", "Signals by run", "stage", (table, line(text, "stage", "muted"))),)


def _flips(at: int, name: str, found: Comparison) -> Section:
    """Return the questions that flipped, with their answers."""
    pair = found.pairs[name]
    parts: list[Part] = []
    columns = (Column("question", "flipped"), Column(found.baseline, "baseline"), Column(name, "run"))
    for title, flipped in (("From several to one", pair.to_one), ("From one to several", pair.from_one)):
        parts.append(line(f"{title}: {number_of_questions(len(flipped))}.", "flipped"))
        rows = [(shorten(x.question, _LONGEST), _answers(x.baseline), _answers(x.run)) for x in flipped[:_FLIPS]]
        if rows:
            parts.append(text_table(columns, rows, "flipped"))
        if flipped[_FLIPS:]:
            parts.append(line(f"{count(len(flipped) - _FLIPS)} more in JSON.", "flipped", "muted"))
    return Section(f"flips-{at}", f"Flipped: {name}", "flipped", tuple(parts))


def _answers(clusters: Sequence[Cluster]) -> str:
    """Return the largest clusters of a question, each by what most of its samples say."""
    shown = [f"{x.samples}x {shorten(x.answer, _LONGEST)}" for x in clusters[:_CLUSTERS]]
    more = [f"{count(len(clusters) - _CLUSTERS)} more"] if clusters[_CLUSTERS:] else []
    return " / ".join([*shown, *more])


def _left_out(found: Comparison) -> tuple[Section, ...]:
    """Return the questions that are not compared."""
    if not found.left_out:
        return ()
    lines: list[Line] = []
    for x in found.left_out:
        ids = ", ".join(x.question_ids[:_IDS]) + (", ..." if x.question_ids[_IDS:] else "")
        lines.append(line(f"{number_of_questions(len(x.question_ids))} {x.reason}: {ids}", "paired"))
    return (Section("left-out", "Left out", "paired", tuple(lines)),)
