"""Judges, embedders and NLI models of one run beside each other, as parts and sections."""

from collections.abc import Mapping

from homogaudit.report.numbers import MISSING, NO_CORRELATION_INTERVAL, count, percent
from homogaudit.report.parts import SIGNAL, line, notes, record_table, signal_term, text_table
from homogaudit.report.records import Labels
from homogaudit.report.section import Column, Curve, Curves, Part, Section
from homogaudit.report.side_by_side_records import (
    Area,
    ClusteringAgreement,
    JudgeComparison,
    JudgeModel,
    ModelComparison,
)
from homogaudit.report.text import plain
from homogaudit.report.undefined import Undefined
from homogaudit.statistics import Correlation, Rate

_TITLES = {"embedding": ("Embedders compared", "embedder"), "entailment": ("NLI models compared", "NLI model")}
_HASH = 8
"""Digits of a SHA-256 that are shown."""


def judge_parts(labels: Labels) -> list[Part]:
    """Return how far the judges agree, what each makes of every signal, and how a model's replies could be read."""
    parts: list[Part] = [
        line(_replies(name, x.model), "model_judge", "muted")
        for name, x in labels.judges.items()
        if x.model is not None
    ]
    found = labels.comparison
    if isinstance(found, Undefined):
        return parts
    pairs = {" and ".join(x.judges): x for x in found.pairs}
    paths = ("agreed", "kappa", "kappa.interval", "agreed.of")
    parts.append(record_table(pairs, Column("judges", "judge"), paths))
    note = "Kappa: agreement beyond chance, on the answers that both judges call correct or incorrect."
    parts.append(line(note, "kappa", "muted"))
    parts += [
        line(f"No kappa of {names}: {x.kappa.reason}.", "kappa", "muted")
        for names, x in pairs.items()
        if isinstance(x.kappa, Undefined)
    ]
    if found.aurocs:
        for judge in labels.judges:
            areas = {name: x[judge] for name, x in found.aurocs.items() if isinstance(x.get(judge), Area)}
            title, paths = f"AUROC by judge {plain(judge)}", ("value", "value.interval", "n")
            parts.append(record_table(areas, SIGNAL, paths, title=title, term=signal_term))
    return parts + [line(text, "aurocs", "muted") for text in _unscored(found)]


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


def agreement_sections(found: tuple[ClusteringAgreement, ...] | Undefined) -> tuple[Section, ...]:
    """Return how far the clusterings agree; nothing where there is one, or where the full report has it."""
    if isinstance(found, Undefined) or not found:
        return ()
    rows = {" under ".join(reversed(x.clusterings)): x for x in found}
    paths = ("confirmed", "confirmed.interval", "confirmed.of", "joined", "kappa", "questions")
    said = "Of the questions with one cluster under the second, what the first says of them."
    table = record_table(rows, Column("clusterings", "clustering"), paths)
    return (Section("clusterings", "Clusterings compared", "confirmed", (line(said, "confirmed"), table)),)


def model_sections(models: Mapping[str, ModelComparison | Undefined]) -> tuple[Section, ...]:
    """Return the sections of what several models cluster; none where a run has one model of a kind."""
    return tuple(
        _model_section(similarity, found) for similarity, found in models.items() if not isinstance(found, Undefined)
    )


def _model_section(similarity: str, found: ModelComparison) -> Section:
    title, noun = _TITLES[similarity]
    parts: list[Part] = [line(_compared_on(found), "clustered")]
    # A model that has clustered nothing yet has no points.
    thresholds = max(([x.threshold for x in model.thresholds] for model in found.models.values()), key=len)
    if thresholds:
        rows = [
            (name, *([percent(x.scr.value) for x in model.thresholds] or [MISSING] * len(thresholds)))
            for name, model in found.models.items()
        ]
        columns = [Column(noun, similarity), *(Column(f"{x:g}", "threshold") for x in thresholds)]
        parts.append(text_table(columns, rows, "scr", "SCR by threshold"))
        curves = tuple(
            Curve(plain(name), tuple(thresholds), tuple(x.scr.value for x in model.thresholds))
            for name, model in found.models.items()
            if model.thresholds
        )
        parts.append(Curves("SCR by threshold", "threshold", curves, "similarity from which answers join"))
    paths = ("threshold", "scr", "scr.interval", "mean_clusters")
    areas = ("semantic_entropy_auroc", "semantic_entropy_auroc.interval")
    parts.append(record_table(found.models, Column(noun, similarity), (*paths, *areas)))
    calibrated = {name: x.calibrated_threshold for name, x in found.models.items()}
    points = {name: x for name, x in calibrated.items() if not isinstance(x, Undefined)}
    told: list[str] = []
    if points:
        parts.append(record_table(points, Column("calibrated threshold", "calibrated_threshold"), paths))
        told.append(
            "A calibrated threshold is set on pairs of answers and does not transfer exactly to average linkage."
        )
    missing = [name for name, model in found.models.items() if model.thresholds and name not in points]
    if missing:
        names = ", ".join(missing)
        told.append(f"Not calibrated when the run was scored with it: {names}; see `homogaudit calibrate`.")
    correlations = {" and ".join(x.models): x for x in found.correlations}
    paths = ("spearman", "spearman.interval", "spearman.of")
    parts.append(record_table(correlations, Column("models", "model_comparison"), paths))
    told += [
        f"No correlation of {names}: {x.spearman.reason}."
        for names, x in correlations.items()
        if isinstance(x.spearman, Undefined)
    ]
    if any(isinstance(x.spearman, Correlation) and x.spearman.low is None for x in found.correlations):
        told.append(NO_CORRELATION_INTERVAL)
    return Section(
        similarity, title, "model_comparison", (*parts, *notes((*told, _entropy_note(found)), "model_comparison"))
    )


def _entropy_note(found: ModelComparison) -> str:
    """Return what SE AUROC is over, or why there is none."""
    areas = [x.semantic_entropy_auroc for x in found.models.values()]
    reasons = dict.fromkeys(x.reason for x in areas if isinstance(x, Undefined))
    # The questions are the same for every model, and so are their labels.
    labelled = next((f", over {count(x.n)} labelled questions" for x in areas if isinstance(x, Area)), "")
    return f"SE AUROC: of the semantic entropy of these clusters{labelled}." + "".join(
        f" Missing: {x}." for x in reasons
    )


def _compared_on(found: ModelComparison) -> str:
    """Return which questions the figures are over, and which models have clustered others too."""
    clustered = {name: model.clustered for name, model in found.models.items()}
    if set(clustered.values()) == {found.questions}:
        return f"Figures are over the {count(found.questions)} questions that all of them have clustered."
    each = ", ".join(f"{count(number)} by {name}" for name, number in clustered.items())
    return (
        f"Not all have clustered the same questions ({each}): figures are over the {count(found.questions)} in common; "
        "`homogaudit score` with the same model finishes a scoring that was stopped."
    )
