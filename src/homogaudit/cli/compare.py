"""`homogaudit compare RUN RUN [RUN...]`: runs of the same questions against each other."""

from typing import TYPE_CHECKING, Annotated

import typer

from homogaudit.cli import completion
from homogaudit.cli.options import JsonOption, ModelsOption
from homogaudit.cli.output import OpenOption, check_targets, page_target, write_page, writing
from homogaudit.errors import UsageError

if TYPE_CHECKING:
    from homogaudit.comparison.records import Comparison


def compare(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN RUN [RUN...]",
            help="Run files, or names of runs; the first is the baseline.",
            autocompletion=completion.runs,
        ),
    ],
    baseline: Annotated[
        str | None,
        typer.Option(
            "--baseline", metavar="RUN", help="The run to compare the others with, named as before; default: the first."
        ),
    ] = None,
    clustering: Annotated[
        str | None,
        typer.Option(
            "--clustering",
            metavar="NAME",
            help="The clustering to compare by, such as embedding; default: the one that reports go by.",
        ),
    ] = None,
    judge: Annotated[
        str | None,
        typer.Option(metavar="JUDGE", help="Whose labels to compare; default: those of the baseline's judge."),
    ] = None,
    margin: Annotated[
        float,
        typer.Option(help="The largest difference of rates, or of AUROCs, that does not matter to you."),
    ] = 0.05,
    force: Annotated[
        bool,
        typer.Option("--force", help="Compare also runs that ask or cluster differently; every output says so."),
    ] = False,
    across: Annotated[
        bool,
        typer.Option(
            "--across",
            help="Compare the answers of the models with each other too: whether they say the same, and share errors.",
        ),
    ] = False,
    as_json: JsonOption = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the whole comparison as Markdown.")] = False,
    full: Annotated[bool, typer.Option("--full", help="Print the whole comparison.")] = False,
    html: Annotated[
        str | None,
        writing(
            metavar="FILE",
            help="Write the whole comparison and the questions side by side as a page of one file; - prints it.",
        ),
    ] = None,
    open_page: OpenOption = False,
    overwrite: Annotated[bool, writing("--overwrite", help="Overwrite an existing page.")] = False,
    models_file: ModelsOption = None,
) -> None:
    """Compare runs on the same questions.

    Questions are paired by their ids. An unfinished run is compared as far as it got, with exit code 4.
    """
    from contextlib import ExitStack

    from homogaudit.cli.error_line import after_report, warn
    from homogaudit.cli.report import check_complete
    from homogaudit.comparison.build import compare_paired
    from homogaudit.comparison.pairing import pair_runs
    from homogaudit.config import load_models, load_settings
    from homogaudit.launch.run_paths import find_run
    from homogaudit.report.run_data import read_run
    from homogaudit.store import RunFile
    from homogaudit.store.journals import missing_journal

    prints = [flag for flag, given in (("--json", as_json), ("--markdown", markdown)) if given]
    html = page_target(html, "comparison.html", is_opened=open_page)
    files = check_targets({"--html": html}, prints, force=overwrite, flag="--overwrite")
    if not 0 < margin < 1:
        raise UsageError(f"`--margin` must lie between 0 and 1, not `{margin:g}`", "0.05 is five points")
    folder = load_settings(load_models(models_file)).runs
    paths = [find_run(run, folder).resolve() for run in runs]
    first = 0
    if baseline is not None:
        named = find_run(baseline, folder).resolve()
        if named not in paths:
            paths.insert(0, named)
        first = paths.index(named)
    with ExitStack() as stack:
        for path in paths:
            if line := missing_journal(path):
                warn(line)
        stored = [stack.enter_context(RunFile.open(path)) for path in paths]
        paired = pair_runs(
            [read_run(run) for run in stored], baseline=first, clustering=clustering, judge=judge, force=force
        )
        # Markdown and the page hold everything.
        whole = full or markdown or html is not None
        found = compare_paired(paired, margin=margin, full=whole, across=across)
        if html is not None:
            from homogaudit.comparison.page import comparison_page

            write_page("the comparison", comparison_page(found, paired), files.get("--html"), is_opened=open_page)
        if prints or html is None:
            _print(found, as_json=as_json, markdown=markdown, full=full)
        with after_report(as_json=as_json):
            for run in stored:
                check_complete(run)


def _print(found: "Comparison", *, as_json: bool, markdown: bool, full: bool) -> None:
    from homogaudit.comparison.layout import sections
    from homogaudit.comparison.summary import summary

    if as_json:
        from homogaudit.report.json import dumps

        typer.echo(dumps(found))
    elif markdown:
        from homogaudit.report.markdown import sections_to_markdown

        typer.echo(sections_to_markdown("homogaudit comparison", (summary(found), *sections(found))), nl=False)
    else:
        from rich.console import Console

        from homogaudit.report.console import render_sections

        render_sections((*(sections(found) if full else ()), summary(found)), Console(highlight=False))
