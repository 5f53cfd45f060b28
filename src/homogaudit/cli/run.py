"""`homogaudit run MODEL [QUESTIONS]`: the audit, headless; prints the report at the end."""

from pathlib import Path
from typing import Annotated

import typer

from homogaudit.cli.options import (
    QUESTIONS,
    ClusteringOption,
    ContextOption,
    DensityPoolOption,
    JsonOption,
    JudgePromptOption,
    MaxCostOption,
    MaxScrOption,
    ModelsOption,
    NliOption,
    NliQuestionOption,
    QuietOption,
    SignalsOption,
    WithChoicesOption,
    YesOption,
    split_names,
)
from homogaudit.errors import EngineError, HomogauditError

__all__ = ["run"]

_DRAWING = "Drawing"
_PROMPT = "Prompt"
_SCORING = "Scoring"
_MACHINE = "Machine"
_SERVER = "Server"


def run(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A GGUF file, a Hugging Face folder or id, a name of models.toml, `demo`, or the URL of a server.",
        ),
    ],
    questions: Annotated[
        str | None,
        typer.Argument(
            metavar="QUESTIONS",
            help="A question file, a packaged sample such as `factual`, `-` for stdin; default: misconceptions.",
        ),
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
    seed: Annotated[
        int, typer.Option(help="Of every draw; other `--slots` may draw other answers.", rich_help_panel=_DRAWING)
    ] = 0,
    limit: Annotated[int | None, typer.Option(help="Take the first so many.", rich_help_panel=QUESTIONS)] = None,
    shuffle: Annotated[
        int | None, typer.Option(metavar="SEED", help="Shuffle the questions first.", rich_help_panel=QUESTIONS)
    ] = None,
    category: Annotated[
        list[str] | None,
        typer.Option(help="Take this category alone; may be repeated.", rich_help_panel=QUESTIONS),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="K/N",
            help="Take every N-th question from the K-th on; `homogaudit merge` joins the runs.",
            rich_help_panel=QUESTIONS,
        ),
    ] = None,
    question_column: Annotated[
        str | None, typer.Option(metavar="NAME", help="Column of the question.", rich_help_panel=QUESTIONS)
    ] = None,
    id_column: Annotated[
        str | None, typer.Option(metavar="NAME", help="Column of its id.", rich_help_panel=QUESTIONS)
    ] = None,
    category_column: Annotated[
        str | None, typer.Option(metavar="NAME", help="Column of its category.", rich_help_panel=QUESTIONS)
    ] = None,
    answers_column: Annotated[
        str | None, typer.Option(metavar="NAME", help="Column of the correct answers.", rich_help_panel=QUESTIONS)
    ] = None,
    incorrect_answers_column: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Column of the incorrect answers.", rich_help_panel=QUESTIONS),
    ] = None,
    context_column: Annotated[
        str | None, typer.Option(metavar="NAME", help="Column of the context.", rich_help_panel=QUESTIONS)
    ] = None,
    context: ContextOption = "ask",
    with_choices: WithChoicesOption = False,
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
        str,
        typer.Option(
            help="auto, overlap, exact, numeric, none, or `model:` and a model, such as model:demo.",
            rich_help_panel=_SCORING,
        ),
    ] = "auto",
    judge_prompt: JudgePromptOption = None,
    embedder: Annotated[
        str | None, typer.Option(help="A name of models.toml, a folder or a Hugging Face id.", rich_help_panel=_SCORING)
    ] = None,
    no_embedder: Annotated[
        bool, typer.Option("--no-embedder", help="Cluster by wording alone.", rich_help_panel=_SCORING)
    ] = False,
    nli: NliOption = None,
    nli_question: NliQuestionOption = False,
    clustering: ClusteringOption = None,
    signals: SignalsOption = None,
    density_pool: DensityPoolOption = None,
    defer_embedding: Annotated[
        bool,
        typer.Option("--defer-embedding", help="Embed once the model is gone.", rich_help_panel=_SCORING),
    ] = False,
    no_token_arrays: Annotated[
        bool,
        typer.Option("--no-token-arrays", help="Keep no per-token arrays.", rich_help_panel=_SCORING),
    ] = False,
    slots: Annotated[
        int | None,
        typer.Option(help="Answers drawn at the same time; compare runs of equal slots.", rich_help_panel=_MACHINE),
    ] = None,
    threads: Annotated[int | None, typer.Option(help="Default: the physical cores.", rich_help_panel=_MACHINE)] = None,
    gpu_layers: Annotated[
        int | None, typer.Option(help="Layers on the GPU; default: as many as fit.", rich_help_panel=_MACHINE)
    ] = None,
    hash_model: Annotated[
        bool,
        typer.Option("--hash-model", help="Hash the whole model file.", rich_help_panel=_MACHINE),
    ] = False,
    server_model: Annotated[
        str | None, typer.Option(metavar="NAME", help="The model on the server.", rich_help_panel=_SERVER)
    ] = None,
    concurrency: Annotated[
        int | None, typer.Option(help="Requests at the same time on each URL; default: 16.", rich_help_panel=_SERVER)
    ] = None,
    max_cost: MaxCostOption = None,
    yes: YesOption = False,
    models_file: ModelsOption = None,
    max_scr: MaxScrOption = None,
    full: Annotated[bool, typer.Option("--full", help="Print all sections of the report.")] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Audit MODEL on QUESTIONS and print the report.

    The same command goes on where an unfinished run was left.
    """
    from homogaudit.cli.consent import make_consent
    from homogaudit.cli.engine_job import agree_to_cost, run_engine
    from homogaudit.cli.error_line import after_report, ignore, warn
    from homogaudit.cli.progress import make_display
    from homogaudit.cli.report import check_complete, check_drawn, check_gate, check_max_scr, print_report
    from homogaudit.launch.prepare import RunRequest, prepare, remove_if_empty
    from homogaudit.launch.run_paths import log_path
    from homogaudit.questions import Columns
    from homogaudit.store import RunFile

    check_max_scr(max_scr)
    prepared = prepare(
        RunRequest(
            model,
            questions,
            output=output,
            new=new,
            preset=preset,
            samples=samples,
            temperature=temperature,
            top_p=top_p,
            top_k=top_k,
            min_p=min_p,
            max_tokens=max_tokens,
            greedy_max_tokens=greedy_max_tokens,
            seed=seed,
            limit=limit,
            shuffle=shuffle,
            categories=tuple(category or ()),
            columns=Columns(
                question_column,
                id_column,
                category_column,
                answers_column,
                incorrect_answers_column,
                context_column,
            ),
            context=context,
            with_choices=with_choices,
            mode=mode,
            system=system,
            prompt_template=prompt_template,
            thinking=thinking,
            think_markers=think_markers,
            judge=judge,
            judge_prompt=judge_prompt,
            embedder=embedder,
            use_embedder=not no_embedder,
            nli=nli,
            nli_question=nli_question,
            clusterings=tuple(clustering or ()),
            signals=split_names(signals),
            density_pool=density_pool,
            defer_embedding=defer_embedding,
            token_arrays=not no_token_arrays,
            slots=slots,
            threads=threads,
            gpu_layers=gpu_layers,
            hash_model=hash_model,
            models_file=models_file,
            server_model=server_model,
            concurrency=concurrency,
            max_cost=max_cost,
            shard=shard,
        ),
        ignore if quiet else warn,
        make_consent(is_agreed=yes),
    )
    path = prepared.path
    if not quiet:
        going_on = "; going on where it was left, `--new` starts another" if prepared.goes_on else ""
        typer.echo(f"run: {path}{going_on}", err=True)
    try:
        if prepared.estimate is not None:
            agree_to_cost(prepared.estimate, is_agreed=yes or max_cost is not None, quiet=quiet)
        run_engine(prepared.job, make_display(quiet=quiet))
    except HomogauditError as error:
        remove_if_empty(path)
        # An engine that failed without a reason of its own is what the log is for.
        if not path.exists() and not isinstance(error, EngineError):
            log_path(path).unlink(missing_ok=True)
        raise
    with RunFile.open(path) as stored:
        built = print_report(stored, as_json=as_json, full=full)
        with after_report(as_json=as_json):
            check_drawn(stored)
            check_complete(stored)
            check_gate(built, max_scr)
