"""From what the user asks to a run file and a job: model, questions, judge, embedder, and an unfinished run to go on.

The same request finds the same unfinished run. It prints nothing.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from homogaudit.clustering.methods import choose_methods
from homogaudit.config import (
    Consent,
    ResolvedGenerator,
    Trust,
    did_you_mean,
    load_models,
    load_settings,
    refuse,
    resource,
)
from homogaudit.config.models_file import MODES
from homogaudit.errors import HomogauditError, ModelError, UsageError
from homogaudit.events import Job
from homogaudit.generation.fingerprint import file_sha256, model_fingerprint
from homogaudit.launch.arguments import check_order, question_source
from homogaudit.launch.earlier_run import READER, earlier_questions
from homogaudit.launch.embedder_choice import is_large, resolve_job_embedder, resolve_job_nli
from homogaudit.launch.judge_choice import check_judge_name, choose_judge
from homogaudit.launch.model_choice import resolve_drawable
from homogaudit.launch.run_paths import list_runs, new_run_path
from homogaudit.launch.server_choice import ServerChoice, ServerEstimate, choose_server, estimate_requests
from homogaudit.questions import Asking, Columns, QuestionFile, load_questions, load_template
from homogaudit.questions.wording import quoted
from homogaudit.records import Decoding, Prompting, Question, questions_digest
from homogaudit.signals.registry import choose_signals
from homogaudit.store import ModelSource, RunFile
from homogaudit.store.journals import missing_journal
from homogaudit.store.run_file import differences
from homogaudit.store.run_lock import lock_owner
from homogaudit.store.shards import Shards

__all__ = [
    "PRESETS",
    "Prepared",
    "Preset",
    "RunRequest",
    "decoding_of",
    "prepare",
    "remove_if_empty",
    "resolve_density_pool",
]


@dataclass(frozen=True, slots=True)
class Preset:
    """Decoding defaults under one name; a flag goes before them."""

    samples: int
    max_tokens: int
    greedy_max_tokens: int
    limit: int | None = None


CONTEXTS = ("ask", "hide")
"""What `--context` takes."""

PRESETS: Mapping[str, Preset] = {
    "quick": Preset(samples=5, max_tokens=40, greedy_max_tokens=40, limit=20),
    "standard": Preset(samples=10, max_tokens=100, greedy_max_tokens=100),
    "paper": Preset(samples=10, max_tokens=40, greedy_max_tokens=200),
}


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What the user asks for; `None` leaves the choice to the preset, the model's entry or the settings.

    Attributes:
        model: A GGUF file, a Hugging Face folder or id, a name of models.toml, `demo`, or the URLs of servers.
        questions: A question file, `-` for stdin; `None` for the packaged sample.
        output: The run file; `None` for a new one in the runs folder, or an unfinished one with the same parameters.
        new: Start anew even where an unfinished run could go on.
        categories: Take these alone; empty for all.
        context: `ask` or `hide` the text that a question comes with.
        with_choices: Ask the choices of a question, with letters.
        system: System line; empty for none.
        judge: auto, none, a judge's name, or `model:` with a model.
        judge_prompt: The template of what a model that judges is asked; `None` for the packaged one.
        nli: An NLI model: a name of models.toml, a folder or a Hugging Face id; `None` for none.
        nli_question: Whether it reads the question before each answer.
        clusterings: In place of the defaults, as `--clustering` takes them.
        signals: To compute, or cost classes of them; empty for all.
        density_pool: The question file that `density` measures against; `None` for the run's own questions.
        server_model: The model's name on the server; `None` for the one in the URL, or the only one.
        concurrency: Requests at the same time on each server; `None` for the default.
        max_cost: Refuse a run on a server that may cost more; `None` for no limit.
        shard: `K/N` for the K-th of N shares of the questions; `None` for all.
    """

    model: str
    questions: str | None = None
    output: Path | None = None
    new: bool = False
    preset: str = "standard"
    samples: int | None = None
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    max_tokens: int | None = None
    greedy_max_tokens: int | None = None
    seed: int = 0
    limit: int | None = None
    shuffle: int | None = None
    categories: tuple[str, ...] = ()
    columns: Columns = field(default_factory=Columns)
    context: str = "ask"
    with_choices: bool = False
    mode: str | None = None
    system: str | None = None
    prompt_template: Path | None = None
    thinking: bool = False
    think_markers: tuple[str, str] = ("<think>", "</think>")
    judge: str = "auto"
    judge_prompt: Path | None = None
    embedder: str | None = None
    use_embedder: bool = True
    nli: str | None = None
    nli_question: bool = False
    clusterings: tuple[str, ...] = ()
    signals: tuple[str, ...] = ()
    density_pool: Path | None = None
    defer_embedding: bool = False
    token_arrays: bool = True
    slots: int | None = None
    threads: int | None = None
    gpu_layers: int | None = None
    hash_model: bool = False
    models_file: Path | None = None
    server_model: str | None = None
    concurrency: int | None = None
    max_cost: float | None = None
    shard: str | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A run file that is there, and what an engine is to do with it.

    Attributes:
        goes_on: Whether the run was there, unfinished, and was found by its parameters.
        estimate: What it asks of servers; `None` where none draw.
    """

    path: Path
    job: Job
    goes_on: bool
    estimate: ServerEstimate | None = None


def prepare(request: RunRequest, warn: Callable[[str], None], consent: Consent = refuse) -> Prepared:
    """Make everything ready for an engine.

    Args:
        request: What the user asks for.
        warn: Told at once what the user should know and what stops nothing.
        consent: Asks before what only a file names is contacted or called.

    Raises:
        HomogauditError: Something that was asked for is not there or does not fit; no run file is left behind.
    """
    named = load_models(request.models_file)
    trust = Trust(named.named_sources, consent)
    settings = load_settings(
        named,
        embedder=request.embedder,
        threads=request.threads,
        gpu_layers=request.gpu_layers,
        slots=request.slots,
    )
    # What can be wrong with the command is told before a model is downloaded, a server contacted or a file loaded.
    check_order(request.model, request.questions, named)
    decoding = decoding_of(request)
    if request.mode is not None and request.mode not in MODES:
        hint = did_you_mean(request.mode, MODES, f"one of {', '.join(MODES)}")
        raise UsageError(f"no prompt mode `{request.mode}`", hint)
    check_judge_name(request.judge)
    template = None if request.prompt_template is None else load_template(request.prompt_template)
    signals = choose_signals(request.signals)
    if request.clusterings:
        choose_methods(embedder="any", numeric=False, specifications=request.clusterings, nli="any")
    shards = Shards((1,), 1) if request.shard is None else Shards.parse(request.shard)
    question_file = _load_questions(request)
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
    same = _SameRun(question_file, parameters, shards)
    unfinished = _unfinished(settings.runs, same) if request.output is None and not request.new else None
    stored = same.earlier(unfinished or request.output)
    # By the kind of the whole file's questions, so that all shards are judged alike.
    whole: Sequence[Question] = question_file.questions
    if stored is None:
        for warning in question_file.warnings:
            warn(warning)
    else:
        questions = whole = stored
        warn(
            f"version 0.1.0 began this run and read {quoted(question_file.name)} otherwise: it goes on with the "
            "questions and the references that it holds"
        )
    chosen = choose_judge(request.judge, whole, prompt=request.judge_prompt, models=named, warn=warn, trust=trust)
    embedder, reason = resolve_job_embedder(
        settings.embedder, named, wanted=request.use_embedder, trust=trust, found_in=settings.embedder_found_in
    )
    if embedder is None and request.use_embedder:
        warn(f"no embedder, so answers are clustered by wording alone: {reason}")
    nli = resolve_job_nli(request.nli, named, question_first=request.nli_question, trust=trust)
    # Read here too, so that a slip of the pen is told before a run file is made.
    choose_methods(
        embedder=embedder.key if embedder else None,
        numeric=chosen.judge == "numeric",
        specifications=request.clusterings,
        nli=nli.clustering_key if nli else None,
    )
    judging = chosen.estimate(questions, decoding.greedy_max_tokens)
    # A model on this machine costs nothing.
    estimate = ServerEstimate(0, 0, 0, 0.0) if judging else None
    if server is not None:
        price = generator.entry.price_per_million_tokens if generator.entry else None
        estimate = estimate_requests(questions, decoding, prompting, price)
    elif request.max_cost is not None and judging is None:
        raise UsageError(f"`--max-cost` is for servers, and `{generator.name}` is none", "leave it out")
    if estimate is not None:
        estimate = replace(estimate, judging=judging)
    budget = estimate.token_budget(request.max_cost) if estimate else None
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
    _create_or_check(
        path,
        generator,
        question_file,
        questions,
        parameters if stored is None else None,
        warn,
        hash_model=request.hash_model,
    )
    job = Job(
        str(path),
        model=generator.location,
        embedder=embedder,
        judge=chosen.judge,
        judge_reason=chosen.reason,
        embedder_reason=reason,
        clusterings=request.clusterings,
        signals=signals,
        density_pool=pool,
        slots=settings.slots,
        threads=settings.threads,
        gpu_layers=settings.gpu_layers,
        defer_embedding=request.defer_embedding or is_large(embedder),
        token_arrays=request.token_arrays,
        nli=nli,
        model_kind=generator.kind,
        server_model=server.model if server else None,
        concurrency=request.concurrency,
        token_budget=budget,
        judge_model=chosen.model,
        key_origins=trust.key_origins,
    )
    return Prepared(path, job, unfinished is not None, estimate)


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
                raise UsageError(f"`{flag}` is for servers, and `{generator.name}` is none", "leave it out")
        return None
    if request.concurrency is not None and not 1 <= request.concurrency <= 4096:
        raise UsageError(f"`--concurrency` must lie between 1 and 4096, not `{request.concurrency}`")
    if request.hash_model:
        raise UsageError("`--hash-model` is for files, and a server has none", "leave it out")
    return choose_server(generator, request.server_model, warn, trust.key_origins)


def decoding_of(request: RunRequest) -> Decoding:
    """Return the decoding parameters: what was asked for, else the preset.

    Raises:
        UsageError: The preset is unknown, or a value is out of its range.
    """
    preset = _preset(request.preset)
    max_tokens = preset.max_tokens if request.max_tokens is None else request.max_tokens
    greedy = request.greedy_max_tokens
    if greedy is None:
        greedy = preset.greedy_max_tokens if request.max_tokens is None else max_tokens
    decoding = Decoding(
        samples=preset.samples if request.samples is None else request.samples,
        temperature=request.temperature,
        top_p=request.top_p,
        top_k=request.top_k,
        min_p=request.min_p,
        max_tokens=max_tokens,
        greedy_max_tokens=greedy,
        seed=request.seed,
    )
    for name, least, most in (
        ("samples", 2, 1000),
        ("temperature", 0.0, 10.0),
        ("top_p", 1e-6, 1.0),
        ("top_k", 0, 1 << 24),
        ("min_p", 0.0, 1.0),
        ("max_tokens", 1, 1 << 20),
        ("greedy_max_tokens", 1, 1 << 20),
    ):
        value = getattr(decoding, name)
        if not least <= value <= most:
            flag = "--" + name.replace("_", "-")
            hint = f"the default is {getattr(Decoding(), name):g}"
            if name == "samples":
                hint = "one sample says nothing about the spread of answers"
            raise UsageError(f"`{flag}` must lie between {least:g} and {most:g}, not `{value}`", hint)
    return decoding


def resolve_density_pool(path: Path | None) -> str | None:
    """Return the absolute path of a question file that can be read, `None` for none.

    Raises:
        UsageError: It is no question file.
    """
    if path is None:
        return None
    load_questions(path)
    return str(path.expanduser().resolve())


def remove_if_empty(path: Path) -> None:
    """Remove a run in which nothing was ever drawn, for example because its model does not load."""
    if lock_owner(path) is not None:
        # Another process has just begun to draw into it.
        return
    with RunFile.open(path) as stored:
        is_empty = not stored.generation_keys()
    if is_empty:
        for suffix in ("-wal", "-shm", "", ".lock"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)


def _preset(name: str) -> Preset:
    if name not in PRESETS:
        raise UsageError(f"unknown preset `{name}`", did_you_mean(name, PRESETS, f"one of {', '.join(PRESETS)}"))
    return PRESETS[name]


def _load_questions(request: RunRequest) -> QuestionFile:
    if request.context not in CONTEXTS:
        hint = did_you_mean(request.context, CONTEXTS, "`ask` or `hide`")
        raise UsageError(f"`--context` is `{request.context}`", hint)
    limit = _preset(request.preset).limit if request.limit is None else request.limit
    return load_questions(
        question_source(request.questions) or str(resource("samples") / "misconceptions.jsonl"),
        columns=request.columns,
        limit=limit,
        shuffle=request.shuffle,
        categories=request.categories,
        asking=Asking(request.context == "ask", request.with_choices),
    )


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


def _create_or_check(
    path: Path,
    generator: ResolvedGenerator,
    question_file: QuestionFile,
    questions: Sequence[Question],
    parameters: dict[str, Any] | None,
    warn: Callable[[str], None],
    *,
    hash_model: bool,
) -> None:
    """Create the run file, or check that the one that is there has these parameters; `None` where that is known."""
    if path.is_dir():
        raise UsageError(f"`{path}` is a folder", f"name a file in it, for example `{path / 'demo.audit'}`")
    if path.parent.exists() and not path.parent.is_dir():
        raise UsageError(f"`{path.parent}` is no folder", "choose another file with `-o`")
    if path.exists():
        if line := missing_journal(path):
            warn(line)
        if parameters is not None:
            with RunFile.open(path) as existing:
                existing.require_parameters(parameters)
        return
    with RunFile.create(
        path,
        model=generator.name,
        question_source=question_file.name,
        questions=questions,
        parameters=parameters or {},
        warn=warn,
    ) as created:
        source = ModelSource(
            location=generator.location, sha256=file_sha256(Path(generator.location)) if hash_model else None
        )
        if (entry := generator.entry) is not None:
            source = replace(
                source,
                stage=entry.stage,
                family=entry.family,
                training_cutoff=entry.training_cutoff,
                context_length=entry.context_length,
                price_per_million_tokens=entry.price_per_million_tokens,
            )
        created.note_model_entry(source)
        created.duplicates = len(question_file.duplicates)
        created.reader = READER


@dataclass(frozen=True, slots=True)
class _SameRun:
    """What tells a run that the same command began."""

    question_file: QuestionFile
    parameters: dict[str, Any]
    shards: Shards

    def earlier(self, path: Path | None) -> list[Question] | None:
        """Return the questions of a run file that an earlier version began; `None` where it is none."""
        if path is None or not path.is_file():
            return None
        with RunFile.open(path) as stored:
            if not list(differences(stored.parameters, json.loads(json.dumps(self.parameters)))):
                return None
        return earlier_questions(path, self.question_file, self.parameters, self.shards)

    def is_in(self, path: Path) -> bool:
        """Whether a run file is the one that the command began."""
        with RunFile.open(path) as stored:
            found = differences(stored.parameters, json.loads(json.dumps(self.parameters)))
            return next(found, None) is None or self.earlier(path) is not None


def _unfinished(runs: Path, same: _SameRun) -> Path | None:
    """Return the newest unfinished run in the runs folder that the same command began."""
    for path in list_runs(runs):
        try:
            with RunFile.open(path) as stored:
                is_complete = stored.status == "complete"
            if not is_complete and same.is_in(path):
                return path
        except HomogauditError:
            continue
    return None
