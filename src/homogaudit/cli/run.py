"""`homogaudit run MODEL [QUESTIONS]`: the audit, headless; prints the report at the end."""

from pathlib import Path
from typing import Annotated

import typer

from homogaudit.cli import completion
from homogaudit.cli.options import (
    DRAWING,
    QUESTIONS,
    SCORING,
    ClusteringOption,
    ContextOption,
    DensityPoolOption,
    EmbedderOption,
    JsonOption,
    JudgeOption,
    JudgePromptOption,
    LimitOption,
    MaxCostOption,
    MaxScrOption,
    MaxTokensOption,
    ModelsOption,
    NliOption,
    NliQuestionOption,
    NoEmbedderOption,
    PresetOption,
    QuestionsArgument,
    QuietOption,
    SamplesOption,
    SeedOption,
    SignalsOption,
    TemperatureOption,
    WithChoicesOption,
    YesOption,
    split_names,
)
from homogaudit.errors import EngineError, HomogauditError

__all__ = ["run"]

_PROMPT = "Prompt"
_MACHINE = "Machine"
_SERVER = "Server"


def run(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A GGUF file, a Hugging Face folder or id, a name from `homogaudit models` such as `demo`, or the URL "
            "of a server.",
            autocompletion=completion.models,
        ),
    ],
    questions: QuestionsArgument = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="RUN", help="The run file; default: a new one in the runs folder."),
    ] = None,
    new: Annotated[
        bool, typer.Option("--new", help="Start a new run even if an unfinished one could be continued.")
    ] = False,
    preset: PresetOption = None,
    samples: SamplesOption = None,
    temperature: TemperatureOption = None,
    top_p: Annotated[
        float,
        typer.Option(
            help="Sample from the most likely tokens that make up this share; 1: from all.", rich_help_panel=DRAWING
        ),
    ] = 1.0,
    top_k: Annotated[
        int, typer.Option(help="Sample from so many of the most likely tokens; 0: from all.", rich_help_panel=DRAWING)
    ] = 0,
    min_p: Annotated[
        float,
        typer.Option(
            help="Leave out tokens less likely than this share of the most likely one; 0: none.",
            rich_help_panel=DRAWING,
        ),
    ] = 0.0,
    max_tokens: MaxTokensOption = None,
    greedy_max_tokens: Annotated[
        int | None,
        typer.Option(help="Longest greedy answer, in tokens; default: as `--max-tokens`.", rich_help_panel=DRAWING),
    ] = None,
    seed: SeedOption = 0,
    limit: LimitOption = None,
    shuffle: Annotated[
        int | None,
        typer.Option(metavar="SEED", help="Shuffle the questions first, with this seed.", rich_help_panel=QUESTIONS),
    ] = None,
    category: Annotated[
        list[str] | None,
        typer.Option(
            help="Ask only questions of this category. May be given several times.", rich_help_panel=QUESTIONS
        ),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="K/N",
            help="Ask only every N-th question, from the K-th on; `homogaudit merge` joins the runs.",
            rich_help_panel=QUESTIONS,
        ),
    ] = None,
    question_column: Annotated[
        str | None, typer.Option(metavar="NAME", help="Column of the questions.", rich_help_panel=QUESTIONS)
    ] = None,
    id_column: Annotated[
        str | None, typer.Option(metavar="NAME", help="Column of their ids.", rich_help_panel=QUESTIONS)
    ] = None,
    category_column: Annotated[
        str | None, typer.Option(metavar="NAME", help="Column of their categories.", rich_help_panel=QUESTIONS)
    ] = None,
    answers_column: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Column of the correct reference answers.", rich_help_panel=QUESTIONS),
    ] = None,
    incorrect_answers_column: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Column of the incorrect reference answers.", rich_help_panel=QUESTIONS),
    ] = None,
    context_column: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Column of the passages.", rich_help_panel=QUESTIONS),
    ] = None,
    context: ContextOption = "ask",
    with_choices: WithChoicesOption = False,
    mode: Annotated[
        str | None,
        typer.Option(
            help="chat (the model's template), base (`Q: ...` and `A:`), or auto: chat if there is a template.",
            rich_help_panel=_PROMPT,
        ),
    ] = None,
    system: Annotated[
        str | None, typer.Option(help="System prompt; an empty one for none.", rich_help_panel=_PROMPT)
    ] = None,
    prompt_template: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A Jinja template of the prompt.", rich_help_panel=_PROMPT)
    ] = None,
    thinking: Annotated[
        bool,
        typer.Option(
            "--thinking", help="Let a thinking model think; by default it is told not to.", rich_help_panel=_PROMPT
        ),
    ] = False,
    think_markers: Annotated[
        tuple[str, str],
        typer.Option(metavar="OPEN CLOSE", help="The texts around the thoughts.", rich_help_panel=_PROMPT),
    ] = ("<think>", "</think>"),
    judge: JudgeOption = None,
    judge_prompt: JudgePromptOption = None,
    embedder: EmbedderOption = None,
    no_embedder: NoEmbedderOption = False,
    nli: NliOption = None,
    nli_question: NliQuestionOption = False,
    clustering: ClusteringOption = None,
    signals: SignalsOption = None,
    density_pool: DensityPoolOption = None,
    defer_embedding: Annotated[
        bool,
        typer.Option(
            "--defer-embedding",
            help="Embed only after the model has left memory.",
            rich_help_panel=SCORING,
        ),
    ] = False,
    no_token_arrays: Annotated[
        bool,
        typer.Option(
            "--no-token-arrays",
            help="Keep no values of single tokens: a smaller run file, fewer signals.",
            rich_help_panel=SCORING,
        ),
    ] = False,
    slots: Annotated[
        int | None,
        typer.Option(
            help="Answers drawn at the same time. Compare runs only if they had as many.", rich_help_panel=_MACHINE
        ),
    ] = None,
    threads: Annotated[
        int | None, typer.Option(help="CPU threads; default: the physical cores.", rich_help_panel=_MACHINE)
    ] = None,
    gpu_layers: Annotated[
        int | None,
        typer.Option(help="Layers of the model on the GPU; default: as many as fit.", rich_help_panel=_MACHINE),
    ] = None,
    hash_model: Annotated[
        bool,
        typer.Option(
            "--hash-model", help="Store the SHA-256 of the whole model file with the run.", rich_help_panel=_MACHINE
        ),
    ] = False,
    server_model: Annotated[
        str | None, typer.Option(metavar="NAME", help="Which model of the server.", rich_help_panel=_SERVER)
    ] = None,
    concurrency: Annotated[
        int | None,
        typer.Option(help="Requests to each URL at the same time; default: 16.", rich_help_panel=_SERVER),
    ] = None,
    max_cost: MaxCostOption = None,
    yes: YesOption = False,
    models_file: ModelsOption = None,
    max_scr: MaxScrOption = None,
    full: Annotated[bool, typer.Option("--full", help="Print the whole report.")] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Audit MODEL on QUESTIONS and print the report.

    If a run of the same command was interrupted, it continues there.
    """
    from homogaudit.cli.consent import make_consent
    from homogaudit.cli.engine_job import carry_out
    from homogaudit.cli.error_line import after_report, ignore, warn
    from homogaudit.cli.report import check_complete, check_drawn, check_gate, check_max_scr, print_report
    from homogaudit.launch.requests import RunRequest
    from homogaudit.launch.run import plan_run
    from homogaudit.launch.run_choice import remove_if_empty
    from homogaudit.launch.run_paths import log_path
    from homogaudit.questions import Columns
    from homogaudit.store import RunFile

    check_max_scr(max_scr)
    plan = plan_run(
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
        warn,
        make_consent(is_agreed=yes),
        note=ignore if quiet else warn,
    )
    path = plan.path
    if not quiet:
        going_on = "; continuing where it stopped, `--new` starts another" if plan.goes_on else ""
        typer.echo(f"run: {path}{going_on}", err=True)
    try:
        carry_out(plan, is_agreed=yes or max_cost is not None, quiet=quiet)
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
