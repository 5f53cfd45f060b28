"""From a run file to its report: pure, reads only, and gives what there is of a run that was killed.

It composes the sections; what a figure means is in the module of its section.
"""

from collections.abc import Callable, Mapping
from typing import Any

from homogaudit.records import LabelValue
from homogaudit.report.analyses import analyse
from homogaudit.report.analysis_inputs import AnalysisInputs
from homogaudit.report.cascade import cascade_figures, cascade_inputs
from homogaudit.report.clustering_agreement import compare_clusterings
from homogaudit.report.costs import resource_costs
from homogaudit.report.diversity import diversity_figures
from homogaudit.report.homogenization import Settings, cluster_counts, method_figures, primary_name, run_methods
from homogaudit.report.labels import choose_judge, count_labels
from homogaudit.report.model_comparison import compare_models
from homogaudit.report.phase_times import phase_times
from homogaudit.report.pointer import pointer_figures
from homogaudit.report.records import Deciding, Homogenization, MethodFigures, RateAlone, Report, RunFacts, Undefined
from homogaudit.report.run_data import RunData, mapping, read_run
from homogaudit.report.signal_choice import choose_signal
from homogaudit.report.signal_scores import labelled_scores, score_signals
from homogaudit.report.token_entropies import token_entropies
from homogaudit.report.undefined import WITH_FULL
from homogaudit.report.validity import assess, label_warning
from homogaudit.report.verdict import decide
from homogaudit.statistics import DRAWS
from homogaudit.statistics.threads import on_one_thread
from homogaudit.store.rate_only import RateOnly
from homogaudit.store.run_file import RunFile
from homogaudit.store.shards import Shards

SEED = 20261123
"""Of every resampling: the same run file gives the same report to the last digit."""


@on_one_thread
def build(
    run: RunFile | RunData,
    *,
    draws: int = DRAWS,
    seed: int = SEED,
    judge: str | None = None,
    sweeps: bool = True,
    full: bool = False,
    target_risk: float | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Report:
    """Build the report of a run.

    Args:
        run: Open for reading, or what was read of it; nothing is written.
        draws: Of every bootstrap.
        seed: Of everything random.
        judge: Whose labels to go by; `None` for the run's own choice.
        sweeps: Whether to sweep thresholds and sample sizes, which takes about half of the time.
        full: Whether to add what only the full report shows; without it such a part is undefined and says so.
        target_risk: Share of incorrect answers that the risk bounds are for; `None` for three quarters of its own.
        tell: Told what is made next.

    Raises:
        UsageError: `judge` has no stored labels.
    """
    data = run if isinstance(run, RunData) else read_run(run)
    chosen = choose_judge(data.run, judge)
    tell("counting labels")
    labels = count_labels(data, chosen, draws=draws, seed=seed)
    values: dict[str, LabelValue] = {}
    if chosen is not None:
        values = {question_id: label.value for question_id, label in data.labels[chosen].items()}
    tell("checking the answers")
    validity = assess(data, labels)
    settings = Settings(draws=draws, seed=seed, sweeps=sweeps)
    methods = run_methods(data.run)
    primary = primary_name(methods)
    tell("reading the signals")
    scores = labelled_scores(data, values)
    warning = label_warning(labels)
    unlabelled = labels.reason if labels.judge is None else warning
    stages = cascade_inputs(data, scores)
    tell("trying a cascade on held-out questions")
    cascade = cascade_figures(stages, scores, warning=unlabelled, full=full, seed=seed)
    figures: dict[str, MethodFigures] = {}
    for name, method in methods.items():
        tell(f"resampling the clusters: {name}")
        figures[name] = method_figures(data, method, values, settings)
    models = compare_models(data, values, warning=unlabelled, sweeps=sweeps)
    clusters = cluster_counts(data, methods[primary]) if primary is not None else {}
    tell("resampling the signals")
    signals = score_signals(data, scores, clusters, resource_costs(data), warning=warning, draws=draws, seed=seed)
    tell("choosing a signal")
    choice = choose_signal(scores, signals, seed)
    tell("comparing the signals")
    analysed = analyse(
        AnalysisInputs(scores, signals, choice.name, draws, seed),
        unlabelled=unlabelled,
        full=full,
        target_risk=target_risk,
    )
    agreed = compare_clusterings(data, methods, settings) if full else WITH_FULL
    pointer = pointer_figures(data, scores, warning=unlabelled, seed=seed) if full else WITH_FULL
    tell("resampling the diversity of the answers")
    diversity = diversity_figures(data, methods, settings, full=full)
    facts = _run_facts(data)
    verdict = decide(validity, figures, primary, labels, signals, choice, cascade, facts, data.run.path)
    return Report(
        run=facts,
        validity=validity,
        homogenization=Homogenization(primary, verdict.level, figures, models, agreed),
        diversity=diversity,
        labels=labels,
        signals=signals,
        comparisons=analysed.comparisons,
        selective=analysed.selective,
        agreement=analysed.agreement,
        categories=analysed.categories,
        calibration=analysed.calibration,
        dependence=analysed.dependence,
        cascade=cascade,
        pointer=pointer,
        verdict=verdict,
    )


def _run_facts(data: RunData) -> RunFacts:
    """Return what was audited and on what; the newest session that names a device, or versions, stands for all."""
    run, parameters, scoring = data.run, data.parameters, data.scoring
    provenances = [session.provenance for session in data.sessions]
    seconds = [session.seconds for session in data.sessions if session.seconds is not None]
    embedder = scoring and scoring.embedder_source
    shards = Shards.of_parameters(parameters)
    source = run.question_source
    devices = list(dict.fromkeys(x["device"] for x in provenances if x.get("device")))
    return RunFacts(
        id=run.id,
        model=run.model,
        model_details=mapping(parameters.get("model")),
        question_source=source if shards.of == 1 else f"{source}, {shards}",
        shards=None if shards.of == 1 else shards,
        questions=len(data.sets),
        status="complete" if run.status == "complete" else "started",
        state=run.progress().state,
        deciding=None
        if data.rule is None
        else Deciding(data.rule.max_scr, data.rule.seed, len(data.finished), data.is_stopped),
        rate_alone=None if data.short is None else _rate_alone(data, data.short),
        created=run.created,
        finished=run.finished,
        samples=data.sample_count,
        decoding=mapping(parameters.get("decoding")),
        prompting=mapping(parameters.get("prompting")),
        asked_in=run.asked_in,
        # A run that was merged was drawn on all of them at once.
        device=", ".join(map(str, devices)) if run.merged and devices else _last("device", provenances),
        versions=mapping(_last("versions", provenances)),
        embedder=embedder.name if embedder else None,
        embedder_reason=scoring.embedder_reason if scoring else "",
        sessions=len(data.sessions),
        seconds=sum(seconds) if seconds else Undefined("no session measured its time"),
        phases=phase_times(run.phases),
        token_entropies=token_entropies(data),
    )


def _rate_alone(data: RunData, rule: RateOnly) -> RateAlone:
    drawn = sum(len(x.samples) + (x.greedy is not None) for x in data.sets)
    whole = len(data.sets) * (data.sample_count + 1)
    counts = (len(data.counted), len(data.finished), len(data.stopped_ids))
    return RateAlone(rule.audit_share, rule.seed, rule.first, *counts, drawn, whole)


def _last(key: str, provenances: list[Mapping[str, Any]]) -> Any:
    """Return the newest value of `key`, `None` where no session has one."""
    return next((provenance[key] for provenance in reversed(provenances) if provenance.get(key)), None)
