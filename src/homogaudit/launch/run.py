"""From what the user asks to a run file and a job: model, questions, judge, embedder, and an unfinished run to go on.

The same request finds the same unfinished run. It prints nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from homogaudit.config import (
    Consent,
    ModelsFile,
    ResolvedGenerator,
    Settings,
    Trust,
    did_you_mean,
    load_models,
    load_settings,
    refuse,
    resource,
)
from homogaudit.config.models_file import MODES
from homogaudit.errors import ModelError, UsageError
from homogaudit.events import Job, JobMachine, JobModel, Scoring
from homogaudit.generation.fingerprint import model_fingerprint
from homogaudit.launch.arguments import check_order, question_source
from homogaudit.launch.comparisons import planned_comparisons, with_comparisons
from homogaudit.launch.embedder_choice import is_large
from homogaudit.launch.judge_choice import JudgeChoice
from homogaudit.launch.model_choice import resolve_drawable
from homogaudit.launch.plan import Plan
from homogaudit.launch.rate_only import WITHOUT, few_questions, rate_rule
from homogaudit.launch.requests import CONTEXTS, RunRequest, completed, decoding_of, preset_of
from homogaudit.launch.run_choice import SameRun, create_or_check
from homogaudit.launch.run_paths import new_run_path
from homogaudit.launch.scoring import ScoringPlanner, check_names, resolve_density_pool, stored_scoring
from homogaudit.launch.server_choice import ServerChoice, ServerEstimate, choose_server, estimate_requests
from homogaudit.launch.speeds import find_comparison_pace
from homogaudit.launch.until_decided import check_is_live, continue_early, stopping_rule
from homogaudit.questions import Asking, QuestionFile, in_random_order, load_questions, load_template
from homogaudit.questions.wording import quoted
from homogaudit.records import Decoding, Prompting, Question, questions_digest
from homogaudit.store import RunFile
from homogaudit.store.rate_only import RateOnly
from homogaudit.store.run_schema import schema_version
from homogaudit.store.shards import Shards
from homogaudit.store.until_decided import UntilDecided


def plan_run(
    request: RunRequest,
    warn: Callable[[str], None],
    consent: Consent = refuse,
    note: Callable[[str], None] | None = None,
) -> Plan:
    """Make everything ready for an engine that draws answers and scores them.

    Args:
        request: What the user asks for.
        warn: Told at once what the user should know and what stops nothing.
        consent: Asks before what only a file names is contacted or called.
        note: Told how the question file is read and what a model of meaning takes; `warn` where left out.

    Raises:
        HomogauditError: Something that was asked for is not there or does not fit; no run file is left behind.
    """
    named = load_models(request.models_file)
    trust = Trust(named.named_sources, consent, warn)
    settings = load_settings(
        named,
        embedder=request.embedder,
        threads=request.threads,
        gpu_layers=request.gpu_layers,
        slots=request.slots,
    )
    # What can be wrong with the command is told before a model is downloaded, a server contacted or a file loaded.
    check_order(request.model, request.questions, named)
    request = completed(request, {**asdict(settings), **_decoding_begun(request.output)})
    decoding = decoding_of(request)
    if request.mode is not None and request.mode not in MODES:
        hint = did_you_mean(request.mode, MODES, f"one of {', '.join(MODES)}")
        raise UsageError(f"no prompt mode `{request.mode}`", hint)
    check_names(request, settings)
    template = None if request.prompt_template is None else load_template(request.prompt_template)
    shards = Shards((1,), 1) if request.shard is None else Shards.parse(request.shard)
    short = rate_rule(request, decoding)
    rule = None if short is not None else stopping_rule(request)
    question_file = _load_questions(request)
    if rule is not None:
        question_file = replace(question_file, questions=tuple(in_random_order(question_file.questions, rule.seed)))
    questions = shards.take(question_file.questions)
    pool = resolve_density_pool(request.density_pool)
    generator = resolve_drawable(request.model, named, warn, trust)
    server = _choose_server(generator, request, warn, trust)
    if server is not None:
        generator = server.generator
    prompting = Prompting(
        mode=request.mode or (generator.entry.mode if generator.entry else "auto"),
        system=Prompting().system if request.system is None else request.system,
        template=template,
        thinking=request.thinking,
        think_open=request.think_markers[0],
        think_close=request.think_markers[1],
        all_switches=True,
    )
    parameters = _parameters(generator, question_file, decoding, prompting, server, shards)
    if short is not None:
        parameters["rate_only"] = short.as_parameter()
    if rule is not None:
        parameters["until_decided"] = rule.as_parameter()
    same = SameRun(question_file, parameters, shards, continues=request.continues)
    unfinished = same.unfinished(settings.runs) if request.output is None and not request.new else None
    if request.continues and not (unfinished or (request.output and request.output.is_file())):
        raise UsageError(
            "no run of this command stopped early",
            "give every flag that drew it; `homogaudit runs show RUN` says which they were",
        )
    stored = same.earlier(unfinished or request.output)
    # By the kind of the whole file's questions, so that all shards are judged alike.
    whole: Sequence[Question] = question_file.questions
    if stored is None:
        for warning in question_file.warnings:
            (note or warn)(warning)
    else:
        questions = whole = stored
        warn(
            f"version 0.1.0 started this run and read {quoted(question_file.name)} differently: it continues with the "
            "questions and references stored in it"
        )
    path = (
        unfinished
        or request.output
        or new_run_path(
            settings.runs,
            generator.name,
            question_file.name,
            "" if shards.of == 1 else f"{shards.held[0]}of{shards.of}",
        )
    )
    own = _scoring_begun(path, settings, named)
    scoring = ScoringPlanner(request, named, settings, trust, warn, own).plan(path, whole, pool)
    if rule is not None:
        check_is_live(scoring)
    if short is not None:
        check_is_live(scoring, "--rate-only", WITHOUT)
        if not request.continues and (few := few_questions(short, len(questions))) is not None:
            (note or warn)(few)
    comparisons = planned_comparisons(scoring, questions, decoding)
    if comparisons is not None:
        (note or warn)(f"after drawing, {comparisons.text(find_comparison_pace(scoring))}")
    judging = JudgeChoice.of(scoring).estimate(questions, decoding.greedy_max_tokens)
    # A model on this machine costs nothing.
    estimate = ServerEstimate(0, 0, 0, 0.0) if judging else None
    if server is not None:
        price = generator.entry.price_per_million_tokens if generator.entry else None
        estimate = estimate_requests(questions, decoding, prompting, price)
    elif request.max_cost is not None and judging is None and (comparisons is None or comparisons.cost is None):
        raise UsageError(f"`--max-cost` is for servers, and `{generator.name}` is not on one", "leave it out")
    if estimate is not None:
        estimate = replace(estimate, judging=judging)
    estimate = with_comparisons(estimate, comparisons)
    budget = estimate.token_budget(request.max_cost) if estimate else None
    create_or_check(
        path,
        generator,
        question_file,
        questions,
        parameters if stored is None else None,
        warn,
        hash_model=request.hash_model,
    )
    if request.continues:
        continue_early(path)
    model = JobModel(generator.location, generator.kind, server.model if server else None, request.concurrency, budget)
    machine = JobMachine(
        slots=settings.slots,
        threads=settings.threads,
        gpu_layers=settings.gpu_layers,
        defer_embedding=request.defer_embedding or is_large(scoring.embedder_source),
        token_arrays=request.token_arrays,
        key_origins=trust.key_origins,
    )
    return Plan(Job(str(path), model, machine, scoring), estimate, unfinished is not None)


def _decoding_begun(path: Path | None) -> dict[str, Any]:
    """Return how a run that is there to be continued is drawn, nothing of a new one."""
    if path is None or schema_version(path) is None:
        return {}
    with RunFile.open(path) as run:
        is_until_decided = UntilDecided.of_parameters(run.parameters) is not None
        short = RateOnly.of_parameters(run.parameters)
        return {
            **(run.parameters.get("decoding") or {}),
            "until_decided": is_until_decided,
            "rate_only": short is not None,
            "audit_share": None if short is None else short.audit_share,
        }


def _scoring_begun(path: Path, settings: Settings, named: ModelsFile) -> Scoring | None:
    """Return how a run that is there to be continued was scored last; `None` of a new one."""
    if schema_version(path) is None:
        return None
    with RunFile.open(path) as run:
        return None if run.scoring is None else stored_scoring(run.scoring, settings.embedder, named)


def _choose_server(
    generator: ResolvedGenerator, request: RunRequest, warn: Callable[[str], None], trust: Trust
) -> ServerChoice | None:
    """Return the model on the server that is meant, `None` where no server is."""
    flags = {
        "--server-model": request.server_model,
        "--concurrency": request.concurrency,
    }
    if generator.kind != "server":
        for flag, value in flags.items():
            if value is not None:
                raise UsageError(f"`{flag}` is for servers, and `{generator.name}` is not on one", "leave it out")
        return None
    if request.concurrency is not None and not 1 <= request.concurrency <= 4096:
        raise UsageError(f"`--concurrency` must lie between 1 and 4096, not `{request.concurrency}`")
    if request.hash_model:
        raise UsageError("`--hash-model` is for model files, and a server has none", "leave it out")
    return choose_server(generator, request.server_model, warn, trust.key_origins)


def _load_questions(request: RunRequest) -> QuestionFile:
    if request.context not in CONTEXTS:
        hint = did_you_mean(request.context, CONTEXTS, "`ask`, `hide` or `passages`")
        raise UsageError(f"`--context` is `{request.context}`", hint)
    limit = preset_of(request.preset).limit if request.limit is None else request.limit
    found = load_questions(
        question_source(request.questions) or str(resource("samples") / "misconceptions.jsonl"),
        columns=request.columns,
        limit=limit,
        shuffle=request.shuffle,
        categories=request.categories,
        asking=Asking(request.context != "hide", request.context == "passages", request.with_choices),
    )
    if request.context == "passages" and not any(question.passages for question in found.questions):
        hint = "passages stand in a column such as `passages` or `contexts`; `--context-column` names another"
        raise UsageError(f"no question of `{found.name}` has passages to ask", hint)
    return found


def _parameters(
    generator: ResolvedGenerator,
    question_file: QuestionFile,
    decoding: Decoding,
    prompting: Prompting,
    server: ServerChoice | None,
    shards: Shards,
) -> dict[str, Any]:
    """Return everything that the draws depend on, as it is compared when a run is resumed.

    Raises:
        ModelError: The file cannot be read.
    """
    try:
        model = server.parameters if server else _file_parameters(generator)
    except OSError as error:
        raise ModelError(f"cannot read `{generator.location}`: {error.strerror}") from error
    parameters = {
        "model": model,
        "questions": {"count": len(question_file.questions), "sha256": questions_digest(question_file.questions)},
        "decoding": asdict(decoding),
        "prompting": asdict(prompting),
    }
    # A run of one shard tells the whole file all the same: so shards are known to belong together.
    return parameters if shards.of == 1 else parameters | {"shard": shards.as_parameter()}


def _file_parameters(generator: ResolvedGenerator) -> dict[str, Any]:
    return {"kind": generator.kind, "fingerprint": model_fingerprint(Path(generator.location))}
