"""Judges, embedders and NLI models of one run beside each other, as sections of lines and tables.

All text of others is plain here already.
"""

from collections.abc import Mapping
from itertools import chain

from homogaudit.report.numbers import (
    MISSING,
    NO_CORRELATION_INTERVAL,
    count,
    decimal,
    interval,
    percent,
    percent_interval,
)
from homogaudit.report.records import Labels
from homogaudit.report.section import Section, Table
from homogaudit.report.side_by_side_records import Area, JudgeComparison, JudgeModel, JudgePair, ModelComparison
from homogaudit.report.text import plain
from homogaudit.report.undefined import Undefined
from homogaudit.statistics import Correlation, Rate

__all__ = ["judge_notes", "judge_tables", "model_sections"]

_TITLES = {"embedding": "Embedders compared", "entailment": "NLI models compared"}
_HASH = 8
"""Digits of a SHA-256 that are shown."""


def judge_tables(labels: Labels, *, full: bool) -> list[Table]:
    """Return how far the judges agree and, with full, what each makes of every signal."""
    found = labels.comparison
    if isinstance(found, Undefined):
        return []
    rows = tuple((plain(" and ".join(x.judges)), *_agreement(x)) for x in found.pairs)
    tables = [Table(("judges", "agree on", "kappa", "95% interval", "n"), rows)]
    if full and found.aurocs:
        judges = list(labels.judges)
        areas = tuple(
            (plain(name), *chain.from_iterable(_area(by_judge.get(judge)) for judge in judges))
            for name, by_judge in found.aurocs.items()
        )
        # Each judge decides questions of its own.
        columns = chain.from_iterable((plain(judge), "n") for judge in judges)
        tables.append(Table(("AUROC by judge", *columns), areas))
    return tables


def judge_notes(labels: Labels, *, full: bool) -> list[str]:
    """Return how a model's replies could be read, and why figures of the comparison are missing."""
    notes = [_replies(name, counts.model) for name, counts in labels.judges.items() if counts.model is not None]
    found = labels.comparison
    if isinstance(found, Undefined):
        return notes
    notes.append("Kappa: agreement beyond chance, on the answers that both judges call correct or incorrect.")
    notes += [
        f"No kappa of {' and '.join(x.judges)}: {x.kappa.reason}."
        for x in found.pairs
        if isinstance(x.kappa, Undefined)
    ]
    return notes + _unscored(found) + ([] if full else ["`--full` shows the AUROC of every signal under each judge."])


def _replies(judge: str, model: JudgeModel) -> str:
    if (
        isinstance(model.unsure, Undefined)
        or isinstance(model.unparsed, Undefined)
        or isinstance(model.failed, Undefined)
    ):
        return f"{judge}: no reply is stored."
    return (
        f"{judge}: of {count(model.replies)} replies {_some(model.unsure)} are unsure, {_some(model.unparsed)} "
        f"hold no verdict and {_some(model.failed)} failed (prompt {model.prompt_sha256[:_HASH]}, seed {model.seed})."
    )


def _some(rate: Rate) -> str:
    return f"{count(rate.k)} ({percent(rate.value)})"


def _agreement(pair: JudgePair) -> tuple[str, str, str, str]:
    if isinstance(pair.agreed, Undefined):
        return MISSING, MISSING, MISSING, "0"
    if isinstance(pair.kappa, Undefined):
        return percent(pair.agreed.value), MISSING, MISSING, count(pair.agreed.n)
    kappa = pair.kappa
    shown = MISSING if kappa.low is None or kappa.high is None else interval(kappa.low, kappa.high, 2)
    return percent(pair.agreed.value), decimal(kappa.value, 2), shown, count(pair.agreed.n)


def _area(found: Area | Undefined | None) -> tuple[str, str]:
    if found is None or isinstance(found, Undefined):
        return MISSING, MISSING
    return f"{decimal(found.value)} {interval(found.low, found.high)}", count(found.n)


def _unscored(found: JudgeComparison) -> list[str]:
    """Return why a judge has no AUROC of any signal."""
    reasons: dict[str, set[str | None]] = {}
    for by_judge in found.aurocs.values():
        for judge, value in by_judge.items():
            reasons.setdefault(judge, set()).add(value.reason if isinstance(value, Undefined) else None)
    # A signal without a value says so in the table of signals; only what holds for all is said here.
    return [
        f"No AUROC under {judge}: {' '.join(of_judge)}."  # type: ignore[arg-type]
        for judge, of_judge in reasons.items()
        if len(of_judge) == 1 and None not in of_judge
    ]


def model_sections(models: Mapping[str, ModelComparison | Undefined]) -> tuple[Section, ...]:
    """Return the sections of what several models cluster; none where a run has one model of a kind."""
    return tuple(
        _model_section(_TITLES[similarity], found)
        for similarity, found in models.items()
        if not isinstance(found, Undefined)
    )


def _model_section(title: str, found: ModelComparison) -> Section:
    noun = title.split(" compared")[0].lower().removesuffix("s").replace("nli", "NLI")
    tables: list[Table] = []
    notes = _compared_on(found)
    # A model that has clustered nothing yet has no points.
    thresholds = max(([x.threshold for x in model.thresholds] for model in found.models.values()), key=len)
    if thresholds:
        rows = tuple(
            (plain(name), *([percent(x.scr.value) for x in model.thresholds] or [MISSING] * len(thresholds)))
            for name, model in found.models.items()
        )
        tables.append(Table((f"SCR, {noun}", *(f"{x:g}" for x in thresholds)), rows))
    rows = tuple(
        (
            plain(name),
            f"{model.threshold:g}",
            *_rate(model.scr),
            MISSING if isinstance(model.mean_clusters, Undefined) else decimal(model.mean_clusters, 2),
            *_semantic_entropy(model.semantic_entropy_auroc),
        )
        for name, model in found.models.items()
    )
    tables.append(Table((noun, "at", "SCR", "95% interval", "clusters", "SE AUROC", "95% interval"), rows))
    calibrated = {name: x.calibrated_threshold for name, x in found.models.items()}
    points = {name: x for name, x in calibrated.items() if not isinstance(x, Undefined)}
    if points:
        rows = tuple(
            (plain(name), decimal(x.threshold), *_rate(x.scr), decimal(x.mean_clusters, 2))
            for name, x in points.items()
        )
        tables.append(Table(("calibrated", "at", "SCR", "95% interval", "clusters"), rows))
        notes.append(
            "A calibrated threshold is set on pairs of answers and does not transfer exactly to average linkage."
        )
    missing = [name for name, model in found.models.items() if model.thresholds and name not in points]
    if missing:
        notes.append(
            f"Not calibrated when the run was scored with it: {', '.join(missing)}; see `homogaudit calibrate`."
        )
    rows = tuple((plain(" and ".join(x.models)), *_correlation(x.spearman)) for x in found.correlations)
    tables.append(Table(("cluster counts", "Spearman", "95% interval", "n"), rows))
    notes += [
        f"No correlation of {' and '.join(x.models)}: {x.spearman.reason}."
        for x in found.correlations
        if isinstance(x.spearman, Undefined)
    ]
    if any(isinstance(x.spearman, Correlation) and x.spearman.low is None for x in found.correlations):
        notes.append(NO_CORRELATION_INTERVAL)
    reasons = {
        x.semantic_entropy_auroc.reason: None
        for x in found.models.values()
        if isinstance(x.semantic_entropy_auroc, Undefined)
    }
    areas = [x.semantic_entropy_auroc for x in found.models.values() if isinstance(x.semantic_entropy_auroc, Area)]
    # The questions are the same for every model, and so are their labels.
    labelled = f", over {count(areas[0].n)} labelled questions" if areas else ""
    missing_reasons = "".join(f" Missing: {x}." for x in reasons)
    notes.append(f"SE AUROC: of the semantic entropy of these clusters{labelled}.{missing_reasons}")
    return Section(title, tables=tuple(tables), notes=tuple(map(plain, notes)))


def _compared_on(found: ModelComparison) -> list[str]:
    """Return which questions the figures are over, and which models have clustered others too."""
    clustered = {name: model.clustered for name, model in found.models.items()}
    if set(clustered.values()) == {found.questions}:
        return [f"Figures are over the {count(found.questions)} questions that all of them have clustered."]
    each = ", ".join(f"{count(number)} by {name}" for name, number in clustered.items())
    return [
        f"Not all have clustered the same questions ({each}): figures are over the {count(found.questions)} in common; "
        "`homogaudit score` with the same model finishes a scoring that was stopped."
    ]


def _rate(rate: Rate | Undefined) -> tuple[str, str]:
    return (
        (MISSING, MISSING)
        if isinstance(rate, Undefined)
        else (percent(rate.value), percent_interval(rate.low, rate.high))
    )


def _semantic_entropy(found: Area | Undefined) -> tuple[str, str]:
    return (
        (MISSING, MISSING) if isinstance(found, Undefined) else (decimal(found.value), interval(found.low, found.high))
    )


def _correlation(found: Correlation | Undefined) -> tuple[str, str, str]:
    if isinstance(found, Undefined):
        return MISSING, MISSING, MISSING
    return decimal(found.value, 2), interval(found.low, found.high, 2), count(found.n)
