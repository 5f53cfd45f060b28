"""`homogaudit tui [MODEL] [QUESTIONS]`: the audit live in the terminal."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from homogaudit.cli.options import ContextOption, ModelsOption, WithChoicesOption
from homogaudit.errors import HomogauditError, UsageError

__all__ = ["tui"]

_DRAWING = "Drawing"
_SCORING = "Scoring"
_THEMES = ("dark", "light")


def tui(
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="MODEL",
            help="A GGUF file, a Hugging Face folder or id, a name of models.toml, `demo`, or the URL of a server; "
            "begins at once.",
        ),
    ] = None,
    questions: Annotated[
        str | None,
        typer.Argument(
            metavar="QUESTIONS", help="A question file or the name of a packaged sample; default: misconceptions."
        ),
    ] = None,
    run_file: Annotated[
        str | None, typer.Option("--run", metavar="RUN", help="Open this run, finished or not; needs no model.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="The run file; default: in the runs folder.")
    ] = None,
    preset: Annotated[
        str, typer.Option(help="quick (20 questions, N 5, 40 tokens), standard, paper.", rich_help_panel=_DRAWING)
    ] = "standard",
    samples: Annotated[
        int | None, typer.Option("-n", "--samples", help="Samples a question, N; at least 2.", rich_help_panel=_DRAWING)
    ] = None,
    temperature: Annotated[float, typer.Option(help="Of the samples.", rich_help_panel=_DRAWING)] = 1.0,
    max_tokens: Annotated[int | None, typer.Option(help="Tokens of an answer.", rich_help_panel=_DRAWING)] = None,
    limit: Annotated[int | None, typer.Option(help="Take the first so many.", rich_help_panel=_DRAWING)] = None,
    seed: Annotated[
        int, typer.Option(help="Of every draw; other `--slots` may draw other answers.", rich_help_panel=_DRAWING)
    ] = 0,
    context: ContextOption = "ask",
    with_choices: WithChoicesOption = False,
    judge: Annotated[
        str,
        typer.Option(help="auto, overlap, exact, numeric, none, or model:NAME.", rich_help_panel=_SCORING),
    ] = "auto",
    embedder: Annotated[
        str | None, typer.Option(help="A name of models.toml, a folder or a Hugging Face id.", rich_help_panel=_SCORING)
    ] = None,
    models_file: ModelsOption = None,
    theme: Annotated[str, typer.Option(help="dark or light.")] = "dark",
) -> None:
    """Watch an audit live, and look into its questions and its report.

    Without MODEL and `--run` it lets you choose.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty() and sys.stderr.isatty()):
        raise UsageError("the live screen needs a terminal", "`homogaudit run MODEL` does the same without one")
    if theme not in _THEMES:
        raise UsageError(f"unknown theme `{theme}`", "dark or light")
    if questions == "-":
        raise UsageError("the live screen cannot read questions from stdin", "put them into a file")
    if run_file is not None and model is not None:
        raise UsageError("`--run` opens a run that is there, so there is nothing to do for MODEL", "give one of them")
    from homogaudit.launch.prepare import RunRequest, decoding_of
    from homogaudit.launch.run_paths import find_run, runs_folder
    from homogaudit.tui.app import HomogauditApp

    request = RunRequest(
        model or "demo",
        questions,
        output=output,
        preset=preset,
        samples=samples,
        temperature=temperature,
        max_tokens=max_tokens,
        limit=limit,
        seed=seed,
        context=context,
        with_choices=with_choices,
        judge=judge,
        embedder=embedder,
        models_file=models_file,
    )
    # A slip of the pen is told before the screen changes.
    decoding_of(request)
    path = None if run_file is None else find_run(run_file, runs_folder())
    app = HomogauditApp(request=request if model else None, run=path, defaults=request, theme=theme)
    try:
        app.run()
    finally:
        app.end_engine()
    if app.return_code:
        raise typer.Exit(app.return_code)
    if app.run_path is not None and app.run_path.exists():
        _print_last_word(app.run_path)


def _print_last_word(path: Path) -> None:
    """Print what is left of the screen: the verdict and where the run lies."""
    from homogaudit.cli.report import check_drawn
    from homogaudit.report.build import build
    from homogaudit.report.text import plain
    from homogaudit.store import RunFile

    try:
        with RunFile.open(path) as run:
            status = run.status
            verdict = build(run).verdict if status == "complete" else None
    except HomogauditError as error:
        verdict, status = None, error.message
    if verdict is not None:
        typer.echo(f"verdict: {verdict.level}")
        for sentence in verdict.sentences:
            typer.echo(plain(sentence))
    elif status != "complete":
        typer.echo("the run is not complete; `homogaudit tui --run` opens it, and `r` goes on" if status == "started"
                   else plain(status))  # fmt: skip
    typer.echo(f"run: {path}")
    with RunFile.open(path) as run:
        check_drawn(run)
