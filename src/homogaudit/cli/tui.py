"""`homogaudit tui [MODEL] [QUESTIONS]`: the audit live in the terminal."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from homogaudit.cli import completion, options
from homogaudit.errors import HomogauditError, UsageError

if TYPE_CHECKING:
    from homogaudit.tui.screens.report import ReportScreen

_THEMES = ("dark", "light")


def tui(
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="MODEL",
            help="Start with this model at once: a GGUF file, a Hugging Face folder or id, a name from `homogaudit "
            "models` such as `demo`, or the URL of a server.",
            autocompletion=completion.models,
        ),
    ] = None,
    questions: options.QuestionsArgument = None,
    run_file: Annotated[
        str | None,
        typer.Option(
            "--run",
            metavar="RUN",
            help="Open this run, finished or not; needs no model.",
            autocompletion=completion.runs,
        ),
    ] = None,
    compare: Annotated[
        str | None,
        typer.Option(
            "--compare",
            metavar="RUN",
            help="Compare this run, the baseline, with the runs that are named in the place of MODEL and QUESTIONS.",
            autocompletion=completion.runs,
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Compare also runs that ask or cluster differently.")] = False,
    example: options.ExampleOption = False,
    output: options.OutputOption = None,
    preset: options.PresetOption = None,
    samples: options.SamplesOption = None,
    temperature: options.TemperatureOption = None,
    max_tokens: options.MaxTokensOption = None,
    limit: options.LimitOption = None,
    seed: options.SeedOption = 0,
    context: options.ContextOption = "ask",
    with_choices: options.WithChoicesOption = False,
    until_decided: options.UntilDecidedOption = None,
    rate_only: options.RateOnlyOption = None,
    judge: options.JudgeOption = None,
    embedder: options.EmbedderOption = None,
    models_file: options.ModelsOption = None,
    theme: Annotated[str, typer.Option(help="dark or light.")] = "dark",
) -> None:
    """Watch an audit live, and browse its questions and report.

    Without MODEL and `--run` you choose on the start screen.
    """
    flags = dict(locals())
    if not (sys.stdin.isatty() and sys.stdout.isatty() and sys.stderr.isatty()):
        raise UsageError("the live screen needs a terminal", "`homogaudit run MODEL` does the same without one")
    if theme not in _THEMES:
        raise UsageError(f"unknown theme `{theme}`", "dark or light")
    if questions == "-":
        raise UsageError("the live screen cannot read questions from stdin", "put them into a file")
    if compare is not None and model is None:
        raise UsageError("`--compare` needs two runs", "`homogaudit tui --compare BASELINE RUN`")
    if force and compare is None:
        raise UsageError("`--force` belongs to `--compare`")
    if (run_file is not None) + (model is not None or compare is not None) + example > 1:
        raise UsageError("MODEL, `--run`, `--compare` and `--example` exclude each other", "give one of them")
    from homogaudit.config import load_models, load_settings
    from homogaudit.launch.example import example_run
    from homogaudit.launch.requests import RunRequest, completed, decoding_of
    from homogaudit.launch.run_paths import find_run
    from homogaudit.tui.app import HomogauditApp

    runs = [] if compare is None else [compare, *filter(None, (model, questions))]
    if runs:
        model, flags["questions"] = None, None
    request = RunRequest.of(flags, model=model or "demo")
    # A slip of the pen is told before the screen changes.
    settings = load_settings(load_models(models_file))
    request = completed(request, asdict(settings))
    decoding_of(request)
    path = example_run() if example else None if run_file is None else find_run(run_file, settings.runs)
    app = HomogauditApp(
        request=request if model else None,
        run=path,
        compared=[find_run(name, settings.runs) for name in runs],
        force=force,
        defaults=request,
        theme=theme,
    )
    try:
        app.run()
    finally:
        app.end_engine()
    if app.return_code:
        raise typer.Exit(app.return_code)
    if app.run_path is not None and app.run_path.exists():
        _print_last_word(app.run_path, app.shown_verdict)


def _print_last_word(path: Path, shown: "ReportScreen.Built | None") -> None:
    """Print what is left of the screen: the verdict, as it was shown or anew, and where the run lies."""
    from homogaudit.cli.report import check_drawn
    from homogaudit.cli.report_progress import telling
    from homogaudit.report.build import build
    from homogaudit.report.text import plain
    from homogaudit.store import RunFile

    try:
        with RunFile.open(path) as run:
            status, verdict = run.status, None
            if status == "complete" and shown is not None and (shown.path, shown.mark) == (path, run.mark or ""):
                verdict = shown.verdict
            elif status == "complete":
                with telling("making the report") as tell:
                    verdict = build(run, tell=tell).verdict
    except HomogauditError as error:
        verdict, status = None, error.message
    if verdict is not None:
        typer.echo(f"verdict: {verdict.level}")
        for sentence in verdict.sentences:
            typer.echo(plain(sentence))
    elif status != "complete":
        how = "the run is not complete: open it with `homogaudit tui --run`, and press `r` to continue"
        typer.echo(how if status == "started" else plain(status))
    typer.echo(f"run: {path}")
    with RunFile.open(path) as run:
        check_drawn(run)
