"""`homogaudit run MODEL [QUESTIONS]`: the audit, headless; prints the report at the end."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from homogaudit.cli import completion, options
from homogaudit.cli.output import ForceOption
from homogaudit.errors import EngineError, HomogauditError

if TYPE_CHECKING:
    from homogaudit.launch.requests import RunRequest

_prompting = partial(typer.Option, rich_help_panel="Prompt")
_machine = partial(typer.Option, rich_help_panel="Machine")
_server = partial(typer.Option, rich_help_panel="Server")


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
    questions: options.QuestionsArgument = None,
    output: options.OutputOption = None,
    new: Annotated[
        bool, typer.Option("--new", help="Start a new run even if an unfinished one could be continued.")
    ] = False,
    preset: options.PresetOption = None,
    samples: options.SamplesOption = None,
    temperature: options.TemperatureOption = None,
    top_p: Annotated[
        float, options.drawing(help="Sample from the most likely tokens that make up this share; 1: from all.")
    ] = 1.0,
    top_k: Annotated[int, options.drawing(help="Sample from so many of the most likely tokens; 0: from all.")] = 0,
    min_p: Annotated[
        float, options.drawing(help="Leave out tokens less likely than this share of the most likely one; 0: none.")
    ] = 0.0,
    max_tokens: options.MaxTokensOption = None,
    greedy_max_tokens: Annotated[
        int | None, options.drawing(help="Longest greedy answer, in tokens; default: as `--max-tokens`.")
    ] = None,
    seed: options.SeedOption = 0,
    limit: options.LimitOption = None,
    shuffle: Annotated[
        int | None, options.asking(metavar="SEED", help="Shuffle the questions first, with this seed.")
    ] = None,
    category: Annotated[
        list[str] | None, options.asking(help="Ask only questions of this category. May be given several times.")
    ] = None,
    shard: Annotated[
        str | None,
        options.asking(
            metavar="K/N", help="Ask only every N-th question, from the K-th on; `homogaudit merge` joins the runs."
        ),
    ] = None,
    until_decided: options.UntilDecidedOption = None,
    rate_only: options.RateOnlyOption = None,
    audit_share: options.AuditShareOption = None,
    continues: Annotated[
        bool,
        options.asking(
            "--continue", help="Draw the rest of a run that was decided early, or of one with `--rate-only`."
        ),
    ] = False,
    question_column: Annotated[str | None, options.asking(metavar="NAME", help="Column of the questions.")] = None,
    id_column: Annotated[str | None, options.asking(metavar="NAME", help="Column of their ids.")] = None,
    category_column: Annotated[str | None, options.asking(metavar="NAME", help="Column of their categories.")] = None,
    answers_column: Annotated[
        str | None, options.asking(metavar="NAME", help="Column of the correct reference answers.")
    ] = None,
    incorrect_answers_column: Annotated[
        str | None, options.asking(metavar="NAME", help="Column of the incorrect reference answers.")
    ] = None,
    context_column: Annotated[str | None, options.asking(metavar="NAME", help="Column of the passages.")] = None,
    context: options.ContextOption = "ask",
    with_choices: options.WithChoicesOption = False,
    mode: Annotated[
        str | None,
        _prompting(help="chat (the model's template), base (`Q: ...` and `A:`), or auto: chat if there is a template."),
    ] = None,
    system: Annotated[str | None, _prompting(help="System prompt; an empty one for none.")] = None,
    prompt_template: Annotated[Path | None, _prompting(metavar="FILE", help="A Jinja template of the prompt.")] = None,
    thinking: Annotated[
        bool, _prompting("--thinking", help="Let a thinking model think; by default it is told not to.")
    ] = False,
    think_markers: Annotated[
        tuple[str, str], _prompting(metavar="OPEN CLOSE", help="The texts around the thoughts.")
    ] = ("<think>", "</think>"),
    judge: options.JudgeOption = None,
    judge_prompt: options.JudgePromptOption = None,
    embedder: options.EmbedderOption = None,
    no_embedder: options.NoEmbedderOption = False,
    nli: options.NliOption = None,
    nli_question: options.NliQuestionOption = None,
    meaning: options.MeaningOption = None,
    clustering: options.ClusteringOption = None,
    signals: options.SignalsOption = None,
    density_pool: options.DensityPoolOption = None,
    defer_embedding: Annotated[
        bool, options.scoring("--defer-embedding", help="Embed only after the model has left memory.")
    ] = False,
    no_token_arrays: Annotated[
        bool,
        options.scoring(
            "--no-token-arrays", help="Keep no values of single tokens: a smaller run file, fewer signals."
        ),
    ] = False,
    slots: Annotated[
        int | None,
        _machine(
            help="Answers drawn at the same time; default: the fastest number. Compare runs only if they had as many."
        ),
    ] = None,
    threads: Annotated[int | None, _machine(help="CPU threads; default: the physical cores.")] = None,
    gpu_layers: Annotated[int | None, _machine(help="Layers of the model on the GPU; default: as many as fit.")] = None,
    hash_model: Annotated[
        bool, _machine("--hash-model", help="Store the SHA-256 of the whole model file with the run.")
    ] = False,
    server_model: Annotated[str | None, _server(metavar="NAME", help="Which model of the server.")] = None,
    concurrency: Annotated[int | None, _server(help="Requests to each URL at the same time; default: 16.")] = None,
    max_cost: options.MaxCostOption = None,
    yes: options.YesOption = False,
    models_file: options.ModelsOption = None,
    max_scr: options.MaxScrOption = None,
    min_auroc: options.MinAurocOption = None,
    max_missed: options.MaxMissedOption = None,
    no_worse_than: options.NoWorseThanOption = None,
    margin: options.MarginOption = None,
    fail_on: options.FailOnOption = None,
    gate_on: options.GateOnOption = "interval",
    junit: options.JunitOption = None,
    force: ForceOption = False,
    full: Annotated[bool, typer.Option("--full", help="Print the whole report.")] = False,
    as_json: options.JsonOption = False,
    quiet: options.QuietOption = False,
) -> None:
    """Audit MODEL on QUESTIONS and print the report.

    If a run of the same command was interrupted, it continues there.
    """
    flags = dict(locals())
    from homogaudit.cli.consent import make_consent
    from homogaudit.cli.engine_job import carry_out
    from homogaudit.cli.error_line import ignore, warn
    from homogaudit.cli.gates import (
        check_earlier_run,
        check_junit,
        check_signals,
        check_until_decided,
        read_gates,
    )
    from homogaudit.cli.report import report_done
    from homogaudit.launch.run import plan_run
    from homogaudit.launch.run_choice import remove_if_empty
    from homogaudit.launch.run_paths import log_path
    from homogaudit.launch.speeds import store_paces
    from homogaudit.report.text import plain
    from homogaudit.store import RunFile

    gates = read_gates(flags)
    check_signals(gates)
    junit_file = check_junit(junit, force=force)
    request = request_of(flags)
    if until_decided:
        check_until_decided(gates)
    plan = plan_run(request, warn, make_consent(is_agreed=yes), note=ignore if quiet else warn)
    path = plan.path
    if not quiet:
        going_on = "; continuing where it stopped, `--new` starts another" if plan.goes_on else ""
        typer.echo(plain(f"run: {path}{going_on}"), err=True)
    try:
        if gates.no_worse_than is not None:
            with RunFile.open(path) as planned:
                check_earlier_run(gates, planned)
        forecast = carry_out(plan, is_agreed=yes or max_cost is not None, quiet=quiet)
    except HomogauditError as error:
        remove_if_empty(path)
        # An engine that failed without a reason of its own is what the log is for.
        if not path.exists() and not isinstance(error, EngineError):
            log_path(path).unlink(missing_ok=True)
        raise
    try:
        report_done(path, as_json=as_json, quiet=quiet, full=full, gates=gates, junit=junit_file)
    finally:
        forecast.end()
        store_paces(plan.job, {"ending": forecast.measured["ending"]})


def request_of(flags: Mapping[str, Any]) -> "RunRequest":
    """Return what the flags of this command ask for."""
    from homogaudit.launch.requests import RunRequest
    from homogaudit.questions import Columns

    names = ("question", "id", "category", "answers", "incorrect_answers", "context")
    return RunRequest.of(
        flags,
        categories=tuple(flags["category"] or ()),
        columns=Columns(*(flags[f"{name}_column"] for name in names)),
        use_embedder=not flags["no_embedder"],
        clusterings=tuple(flags["clustering"] or ()),
        signals=options.split_names(flags["signals"]),
        token_arrays=not flags["no_token_arrays"],
    )
