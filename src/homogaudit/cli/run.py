"""`homogaudit run MODEL [QUESTIONS]`: the audit, headless; prints the report at the end."""

import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from homogaudit.cli.options import ClusteringOption, JsonOption, MaxScrOption, ModelsOption, QuietOption
from homogaudit.errors import EngineError, HomogauditError, ModelError, UsageError

if TYPE_CHECKING:
    from homogaudit.config import ResolvedGenerator
    from homogaudit.questions import QuestionFile
    from homogaudit.records import Decoding, Prompting

__all__ = ["run"]

_DRAWING = "Drawing"
_QUESTIONS = "Questions"
_PROMPT = "Prompt"
_SCORING = "Scoring"
_MACHINE = "Machine"


@dataclass(frozen=True, slots=True)
class _Preset:
    """Decoding defaults under one name; a flag goes before them."""

    samples: int
    max_tokens: int
    greedy_max_tokens: int
    limit: int | None = None


_PRESETS = {
    "quick": _Preset(samples=5, max_tokens=40, greedy_max_tokens=40, limit=20),
    "standard": _Preset(samples=10, max_tokens=100, greedy_max_tokens=100),
    "paper": _Preset(samples=10, max_tokens=40, greedy_max_tokens=200),
}


def run(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A GGUF file, a name of models.toml, or `demo`.")],
    questions: Annotated[
        str | None,
        typer.Argument(metavar="QUESTIONS", help="A question file, `-` for stdin; default: the packaged sample."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="RUN", help="The run file; default: in the runs folder.")
    ] = None,
    new: Annotated[bool, typer.Option("--new", help="Start anew even where an unfinished run could go on.")] = False,
    preset: Annotated[
        str,
        typer.Option(help="quick (20 questions, N 5, 40 tokens), standard, paper.", rich_help_panel=_DRAWING),
    ] = "standard",
    samples: Annotated[
        int | None, typer.Option("-n", "--samples", help="Samples a question, N; at least 2.", rich_help_panel=_DRAWING)
    ] = None,
    temperature: Annotated[float, typer.Option(help="Of the samples.", rich_help_panel=_DRAWING)] = 1.0,
    top_p: Annotated[float, typer.Option(help="1 is off.", rich_help_panel=_DRAWING)] = 1.0,
    top_k: Annotated[int, typer.Option(help="0 is off.", rich_help_panel=_DRAWING)] = 0,
    min_p: Annotated[float, typer.Option(help="0 is off.", rich_help_panel=_DRAWING)] = 0.0,
    max_tokens: Annotated[int | None, typer.Option(help="Tokens of an answer.", rich_help_panel=_DRAWING)] = None,
    greedy_max_tokens: Annotated[
        int | None, typer.Option(help="Tokens of the greedy answer; default: --max-tokens.", rich_help_panel=_DRAWING)
    ] = None,
    seed: Annotated[int, typer.Option(help="Of every draw.", rich_help_panel=_DRAWING)] = 0,
    limit: Annotated[int | None, typer.Option(help="Take the first so many.", rich_help_panel=_QUESTIONS)] = None,
    shuffle: Annotated[
        int | None, typer.Option(metavar="SEED", help="Shuffle the questions first.", rich_help_panel=_QUESTIONS)
    ] = None,
    category: Annotated[
        list[str] | None, typer.Option(help="Take this category alone; may be repeated.", rich_help_panel=_QUESTIONS)
    ] = None,
    question_column: Annotated[
        str | None, typer.Option(metavar="NAME", help="Column of the question.", rich_help_panel=_QUESTIONS)
    ] = None,
    id_column: Annotated[
        str | None, typer.Option(metavar="NAME", help="Column of its id.", rich_help_panel=_QUESTIONS)
    ] = None,
    category_column: Annotated[
        str | None, typer.Option(metavar="NAME", help="Column of its category.", rich_help_panel=_QUESTIONS)
    ] = None,
    answers_column: Annotated[
        str | None, typer.Option(metavar="NAME", help="Column of the correct answers.", rich_help_panel=_QUESTIONS)
    ] = None,
    incorrect_answers_column: Annotated[
        str | None, typer.Option(metavar="NAME", help="Column of the incorrect answers.", rich_help_panel=_QUESTIONS)
    ] = None,
    mode: Annotated[
        str | None,
        typer.Option(help="auto, chat, or base (`Q: ...` and `A:`, no template).", rich_help_panel=_PROMPT),
    ] = None,
    system: Annotated[str | None, typer.Option(help="System line; empty for none.", rich_help_panel=_PROMPT)] = None,
    prompt_template: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A Jinja template of the prompt.", rich_help_panel=_PROMPT)
    ] = None,
    thinking: Annotated[
        bool,
        typer.Option("--thinking", help="Leave thinking on.", rich_help_panel=_PROMPT),
    ] = False,
    think_markers: Annotated[
        tuple[str, str], typer.Option(help="What opens and closes thinking.", rich_help_panel=_PROMPT)
    ] = ("<think>", "</think>"),
    judge: Annotated[
        str, typer.Option(help="auto, overlap, exact, numeric, or none.", rich_help_panel=_SCORING)
    ] = "auto",
    embedder: Annotated[
        str | None, typer.Option(help="A name of models.toml, a folder or a Hugging Face id.", rich_help_panel=_SCORING)
    ] = None,
    no_embedder: Annotated[
        bool, typer.Option("--no-embedder", help="Cluster by wording alone.", rich_help_panel=_SCORING)
    ] = False,
    clustering: ClusteringOption = None,
    defer_embedding: Annotated[
        bool,
        typer.Option("--defer-embedding", help="Embed once the model is gone.", rich_help_panel=_SCORING),
    ] = False,
    no_token_arrays: Annotated[
        bool,
        typer.Option("--no-token-arrays", help="Keep no per-token arrays.", rich_help_panel=_SCORING),
    ] = False,
    slots: Annotated[int | None, typer.Option(help="Answers drawn at the same time.", rich_help_panel=_MACHINE)] = None,
    threads: Annotated[int | None, typer.Option(help="Default: the physical cores.", rich_help_panel=_MACHINE)] = None,
    gpu_layers: Annotated[
        int | None, typer.Option(help="Layers on the GPU; default: as many as fit.", rich_help_panel=_MACHINE)
    ] = None,
    hash_model: Annotated[
        bool,
        typer.Option("--hash-model", help="Hash the whole model file.", rich_help_panel=_MACHINE),
    ] = False,
    models_file: ModelsOption = None,
    max_scr: MaxScrOption = None,
    full: Annotated[bool, typer.Option("--full", help="Print all sections of the report.")] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Audit MODEL on QUESTIONS and print the report.

    The same command goes on where an unfinished run was left.
    """
    from homogaudit.cli.engine_job import log_path, resolve_job_embedder, run_engine
    from homogaudit.cli.error_line import after_report
    from homogaudit.cli.judge_choice import choose_judge
    from homogaudit.cli.model_choice import resolve_gguf
    from homogaudit.cli.progress import make_display
    from homogaudit.cli.report import check_complete, check_gate, check_max_scr, print_report
    from homogaudit.cli.run_argument import new_run_path
    from homogaudit.clustering.methods import choose_methods
    from homogaudit.config import load_models, load_settings
    from homogaudit.events import Job
    from homogaudit.questions import Columns, load_template
    from homogaudit.records import Prompting
    from homogaudit.store import RunFile

    check_max_scr(max_scr)
    named = load_models(models_file)
    settings = load_settings(named, embedder=embedder, threads=threads, gpu_layers=gpu_layers, slots=slots)
    defaults = _preset(preset)
    decoding = _decoding(
        defaults,
        samples=samples,
        temperature=temperature,
        top_p=top_p,
        top_k=top_k,
        min_p=min_p,
        max_tokens=max_tokens,
        greedy_max_tokens=greedy_max_tokens,
        seed=seed,
    )
    generator = resolve_gguf(model, named)
    prompting = Prompting(
        mode=mode or (generator.entry.mode if generator.entry else "auto"),
        system=Prompting().system if system is None else system,
        template=None if prompt_template is None else load_template(prompt_template),
        thinking=thinking,
        think_open=think_markers[0],
        think_close=think_markers[1],
    )
    columns = Columns(question_column, id_column, category_column, answers_column, incorrect_answers_column)
    question_file = _load_questions(
        questions, columns, limit=defaults.limit if limit is None else limit, shuffle=shuffle, categories=category or ()
    )
    for warning in () if quiet else question_file.warnings:
        typer.echo(f"warning: {warning}", err=True)
    chosen = choose_judge(judge, question_file.questions)
    job_embedder, reason = resolve_job_embedder(settings.embedder, named, wanted=not no_embedder)
    if job_embedder is None and not no_embedder and not quiet:
        typer.echo(f"warning: no embedder, so answers are clustered by wording alone: {reason}", err=True)
    # Read here too, so that a slip of the pen is told before a run file is made.
    choose_methods(
        embedder=job_embedder.key if job_embedder else None,
        numeric=chosen.judge == "numeric",
        specifications=clustering or (),
    )
    parameters = _parameters(generator, question_file, decoding, prompting)
    unfinished = _unfinished(settings.runs, parameters) if output is None and not new else None
    path = unfinished or output or new_run_path(settings.runs, generator.name, question_file.name)
    _create_or_check(path, generator, question_file, parameters, hash_model=hash_model)
    if not quiet:
        going_on = "; going on where it was left, `--new` starts another" if unfinished else ""
        typer.echo(f"run: {path}{going_on}", err=True)
    job = Job(
        str(path),
        model=generator.location,
        embedder=job_embedder,
        judge=chosen.judge,
        judge_reason=chosen.reason,
        embedder_reason=reason,
        clusterings=tuple(clustering or ()),
        slots=settings.slots,
        threads=settings.threads,
        gpu_layers=settings.gpu_layers,
        defer_embedding=defer_embedding or _is_large(job_embedder),
        token_arrays=not no_token_arrays,
    )
    try:
        run_engine(job, make_display(quiet=quiet))
    except HomogauditError as error:
        _remove_if_empty(path)
        # An engine that failed without a reason of its own is what the log is for.
        if not path.exists() and not isinstance(error, EngineError):
            log_path(path).unlink(missing_ok=True)
        raise
    with RunFile.open(path) as stored:
        built = print_report(stored, as_json=as_json, full=full)
        with after_report(as_json=as_json):
            check_complete(stored)
            check_gate(built, max_scr)


def _preset(name: str) -> _Preset:
    from homogaudit.config import did_you_mean

    if name not in _PRESETS:
        raise UsageError(f"unknown preset `{name}`", did_you_mean(name, _PRESETS, f"one of {', '.join(_PRESETS)}"))
    return _PRESETS[name]


def _decoding(preset: _Preset, **flags: Any) -> "Decoding":
    """Return the decoding parameters: flag, else preset.

    Raises:
        UsageError: A value is out of its range.
    """
    from homogaudit.records import Decoding

    max_tokens = preset.max_tokens if flags["max_tokens"] is None else flags["max_tokens"]
    greedy = flags["greedy_max_tokens"]
    if greedy is None:
        greedy = preset.greedy_max_tokens if flags["max_tokens"] is None else max_tokens
    flags |= {
        "samples": preset.samples if flags["samples"] is None else flags["samples"],
        "max_tokens": max_tokens,
        "greedy_max_tokens": greedy,
    }
    for name, least, most in (
        ("samples", 2, 1000),
        ("temperature", 0.0, 10.0),
        ("top_p", 1e-6, 1.0),
        ("top_k", 0, 1 << 24),
        ("min_p", 0.0, 1.0),
        ("max_tokens", 1, 1 << 20),
        ("greedy_max_tokens", 1, 1 << 20),
    ):
        if not least <= flags[name] <= most:
            flag = "--" + name.replace("_", "-")
            hint = f"the default is {getattr(Decoding(), name):g}"
            if name == "samples":
                hint = "one sample says nothing about the spread of answers"
            raise UsageError(f"`{flag}` must lie between {least:g} and {most:g}, not `{flags[name]}`", hint)
    return Decoding(**flags)


def _load_questions(source: str | None, columns: Any, **options: Any) -> "QuestionFile":
    from homogaudit.config import resource
    from homogaudit.questions import load_questions

    chosen = str(resource("samples") / "misconceptions.jsonl") if source is None else source
    return load_questions(chosen, columns=columns, stdin=sys.stdin.buffer if chosen == "-" else None, **options)


def _parameters(
    generator: "ResolvedGenerator",
    question_file: "QuestionFile",
    decoding: "Decoding",
    prompting: "Prompting",
) -> dict[str, Any]:
    """Return everything that the draws depend on, as it is compared when a run is resumed.

    Raises:
        ModelError: The file cannot be read.
    """
    import hashlib
    import json

    from homogaudit.generation.fingerprint import fingerprint

    try:
        model = fingerprint(Path(generator.location))
    except OSError as error:
        raise ModelError(f"cannot read `{generator.location}`: {error.strerror}") from error
    texts = [[q.id, q.text, q.category, q.answers, q.incorrect_answers] for q in question_file.questions]
    digest = hashlib.sha256(json.dumps(texts).encode()).hexdigest()
    return {
        "model": {"kind": generator.kind, "fingerprint": model.to_json()},
        "questions": {"count": len(question_file.questions), "sha256": digest},
        "decoding": asdict(decoding),
        "prompting": asdict(prompting),
    }


def _create_or_check(
    path: Path,
    generator: "ResolvedGenerator",
    question_file: "QuestionFile",
    parameters: dict[str, Any],
    *,
    hash_model: bool,
) -> None:
    """Create the run file, or check that the one that is there has these parameters."""
    from homogaudit.generation.fingerprint import file_sha256
    from homogaudit.store import RunFile

    if path.is_dir():
        raise UsageError(f"`{path}` is a folder", f"name a file in it, for example `{path / 'demo.audit'}`")
    if path.parent.exists() and not path.parent.is_dir():
        raise UsageError(f"`{path.parent}` is no folder", "choose another file with `-o`")
    if path.exists():
        with RunFile.open(path) as existing:
            existing.require_parameters(parameters)
        return
    with RunFile.create(
        path,
        model=generator.name,
        question_source=question_file.name,
        questions=question_file.questions,
        parameters=parameters,
    ) as created:
        entry = generator.entry
        facts = {"location": generator.location}
        if entry is not None:
            facts |= {
                key: str(value)
                for key in ("stage", "family", "training_cutoff", "context_length", "price_per_million_tokens")
                if (value := getattr(entry, key)) is not None
            }
        if hash_model:
            facts["sha256"] = file_sha256(Path(generator.location))
        created.set_meta("model_entry", facts)
        created.set_meta("duplicates", len(question_file.duplicates))


def _unfinished(runs: Path, parameters: dict[str, Any]) -> Path | None:
    """Return the newest unfinished run in the runs folder with these parameters."""
    from homogaudit.cli.run_argument import list_runs
    from homogaudit.store import RunFile

    for path in list_runs(runs):
        try:
            with RunFile.open(path) as stored:
                if stored.status != "complete":
                    stored.require_parameters(parameters)
                    return path
        except HomogauditError:
            continue
    return None


def _is_large(embedder: Any) -> bool:
    """Whether an embedder takes over 1 GB, so that it waits until the model's memory is free."""
    if embedder is None or not Path(embedder.location).is_dir():
        return False
    return sum(file.stat().st_size for file in Path(embedder.location).rglob("*.safetensors")) > 1 << 30


def _remove_if_empty(path: Path) -> None:
    """Remove a run in which nothing was ever drawn, for example because its model does not load."""
    from homogaudit.store import RunFile
    from homogaudit.store.run_lock import lock_owner

    if lock_owner(path) is not None:
        # Another process has just begun to draw into it.
        return
    with RunFile.open(path) as stored:
        is_empty = not stored.generation_keys()
    if is_empty:
        for suffix in ("", "-wal", "-shm", ".lock"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
