"""From what the user asks to a job that scores the stored answers of a run again. It prints nothing."""

from collections.abc import Callable, Sequence

from homogaudit.config import Consent, Trust, load_models, load_settings, refuse
from homogaudit.events import Job, JobEmbedder, JobMachine
from homogaudit.launch.comparisons import stored_comparisons, with_comparisons
from homogaudit.launch.judge_choice import JudgeChoice, choose_judge
from homogaudit.launch.plan import Plan
from homogaudit.launch.requests import ScoreRequest
from homogaudit.launch.resume import require_idle
from homogaudit.launch.scoring import ScoringPlanner, check_names, resolve_density_pool, stored_scoring
from homogaudit.launch.speeds import find_comparison_pace
from homogaudit.records import Question
from homogaudit.store import RunFile


def plan_score(
    request: ScoreRequest,
    warn: Callable[[str], None],
    consent: Consent = refuse,
    note: Callable[[str], None] | None = None,
) -> Plan:
    """Return what labels, clusters and measures stored answers again, without the model that drew them.

    Args:
        request: What the user asks for.
        warn: Told what the user should know and what stops nothing.
        consent: Asks the user.
        note: Told what is no trouble, such as how long it takes; `warn` where left out.

    Raises:
        HomogauditError: Something that was asked for is not there or does not fit; the run file is unchanged.
    """
    models = load_models(request.models_file)
    trust = Trust(models.named_sources, consent, warn)
    settings = load_settings(models, embedder=request.embedder)
    check_names(request, settings)
    with RunFile.open(request.run) as run:
        stored = run.scoring
        questions = run.questions()
        recorded = "recorded" in run.judges()
        came = [
            JobEmbedder(x.name, key, "", None, "", x.calibrated_threshold, x.meaning)
            for key, x in run.embedders.items()
        ]
    own = None
    if stored is not None:
        require_idle(request.run)
        own = stored_scoring(stored, settings.embedder, models)
    planner = ScoringPlanner(request, models, settings, trust, warn, own, None if stored or not came else came[0])
    pool = resolve_density_pool(request.density_pool)
    scoring = planner.plan(request.run, questions, pool, recorded=recorded)
    chosen = JudgeChoice.of(scoring)
    if request.max_cost is not None and (scoring.meaning_source is None or scoring.meaning_source.kind != "server"):
        chosen.require_server()
    with RunFile.open(request.run) as run:
        comparisons = stored_comparisons(scoring, run)
        estimate = with_comparisons(chosen.estimate_stored(run), comparisons)
    if comparisons is not None and comparisons.most:
        (note or warn)(comparisons.text(find_comparison_pace(scoring)))
    if estimate is not None:
        estimate.token_budget(request.max_cost)
    machine = JobMachine(
        slots=settings.slots,
        threads=settings.threads,
        gpu_layers=settings.gpu_layers,
        key_origins=trust.key_origins,
    )
    return Plan(Job(str(request.run), machine=machine, scoring=scoring), estimate)


def check_score(
    request: ScoreRequest, questions: Sequence[Question], *, recorded: bool, consent: Consent = refuse
) -> None:
    """Check the judge of a request before its run file is written.

    Raises:
        HomogauditError: As `plan_score`.
    """
    models = load_models(request.models_file)
    trust = Trust(models.named_sources, consent)
    chosen = choose_judge(
        request.judge, questions, recorded=recorded, prompt=request.judge_prompt, models=models, trust=trust
    )
    if request.max_cost is not None and request.meaning in (None, "none"):
        chosen.require_server()
