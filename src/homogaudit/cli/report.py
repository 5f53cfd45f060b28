"""`homogaudit report [RUN]`: the report of a run file, and the gates on it."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from homogaudit.cli import options
from homogaudit.cli.options import ExampleOption, JsonOption, ModelsOption, RunArgument
from homogaudit.cli.output import (
    STDOUT,
    ForceOption,
    OpenOption,
    check_targets,
    page_target,
    told,
    write_page,
    write_text,
    writing,
)
from homogaudit.config.nearest import in_backticks
from homogaudit.errors import IncompleteRunError, ModelError, UsageError

if TYPE_CHECKING:
    from homogaudit.report.gates import Gates
    from homogaudit.report.question_rows import Questions
    from homogaudit.report.records import Report
    from homogaudit.report.run_data import RunData
    from homogaudit.store import RunFile


def report(
    run: RunArgument = None,
    example: ExampleOption = False,
    as_json: JsonOption = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the whole report as Markdown.")] = False,
    full: Annotated[bool, typer.Option("--full", help="Print the whole report.")] = False,
    html: Annotated[
        str | None,
        writing(
            metavar="FILE",
            help="Write the whole report and the questions as a page of one file; - prints it.",
        ),
    ] = None,
    open_page: OpenOption = False,
    questions: Annotated[
        str | None,
        writing(
            metavar="FILE",
            help="Write a table of the questions to a .csv, .jsonl or .parquet file; - prints JSON Lines.",
        ),
    ] = None,
    one_cluster: Annotated[
        bool,
        writing("--one-cluster", help="Write only the questions whose samples form one cluster."),
    ] = False,
    wrong: Annotated[bool, writing("--wrong", help="Write only the questions answered wrongly.")] = False,
    category: Annotated[
        str | None,
        writing(metavar="NAME", help="Write only the questions of this category."),
    ] = None,
    sample_clusters: Annotated[
        str | None,
        writing(
            metavar="FILE",
            help="Write questions to judge for `score --label-clusters`, half of them with one cluster; - prints them.",
        ),
    ] = None,
    sample_size: Annotated[
        int | None,
        writing("--sample-size", "-n", help="How many questions to judge, at least 50; default: 60."),
    ] = None,
    model_card: Annotated[
        str | None,
        writing(
            metavar="FILE",
            help="Write a block for a model card, YAML of a model index and a paragraph of Markdown; - prints it.",
        ),
    ] = None,
    badge: Annotated[
        str | None, writing(metavar="FILE", help="Write level and rate as a badge, an SVG image; - prints it.")
    ] = None,
    force: ForceOption = False,
    judge: Annotated[
        str | None, typer.Option(metavar="JUDGE", help="Use the labels of this judge; default: the run's own.")
    ] = None,
    max_scr: options.MaxScrOption = None,
    min_auroc: options.MinAurocOption = None,
    max_missed: options.MaxMissedOption = None,
    no_worse_than: options.NoWorseThanOption = None,
    margin: options.MarginOption = None,
    fail_on: options.FailOnOption = None,
    gate_on: options.GateOnOption = "interval",
    junit: options.JunitOption = None,
    models_file: ModelsOption = None,
) -> None:
    """Print the report of a run, or write it to a file.

    An unfinished run is reported as far as it got, with exit code 4.
    """
    flags = dict(locals())
    from homogaudit.cli.error_line import after_report, warn
    from homogaudit.cli.gates import check_earlier_run, check_signals, judged, read_gates, tell_gates, write_junit
    from homogaudit.cli.report_progress import telling
    from homogaudit.config import load_models, load_settings
    from homogaudit.launch.example import example_run
    from homogaudit.launch.run_paths import find_run
    from homogaudit.report.badge import to_badge
    from homogaudit.report.build import build
    from homogaudit.report.model_card import to_model_card
    from homogaudit.report.question_rows import question_rows
    from homogaudit.report.question_table import check_suffix
    from homogaudit.report.run_data import read_run
    from homogaudit.store import RunFile
    from homogaudit.store.journals import missing_journal

    prints = [flag for flag, given in (("--json", as_json), ("--markdown", markdown)) if given]
    html = page_target(html, "report.html", is_opened=open_page)
    targets = {
        "--html": html,
        "--questions": questions,
        "--sample-clusters": sample_clusters,
        "--model-card": model_card,
        "--badge": badge,
    }
    files = check_targets({**targets, "--junit": junit}, prints, force=force)
    filters = {"--one-cluster": one_cluster, "--wrong": wrong, "--category": category is not None}
    if questions is None and (given := [flag for flag, is_given in filters.items() if is_given]):
        raise UsageError(f"`{given[0]}` chooses rows of `--questions`", "add `--questions FILE`")
    if "--questions" in files:
        check_suffix(files["--questions"])
    if sample_size is not None and sample_clusters is None:
        raise UsageError("`--sample-size` is that of `--sample-clusters`", "add `--sample-clusters FILE`")
    gates = read_gates(flags)
    path = example_run(run) if example else find_run(run, load_settings(load_models(models_file)).runs)
    if line := missing_journal(path):
        warn(line)
    with RunFile.open(path) as stored:
        with telling("reading the answers"):
            data = read_run(stored, late=stored.status == "complete")
        check_signals(gates, stored.signal_names())
        check_earlier_run(gates, stored)
        # A JUnit file goes beside the report, the others stand in its place.
        is_printed, built = bool(prints) or not (any(targets.values()) or junit == STDOUT), None
        if questions is not None:
            names = [name for name, given in (("one_cluster", one_cluster), ("wrong", wrong)) if given]
            with telling("reading the questions"):
                rows = question_rows(data, judge).where(*names, category=category)
            _write_questions(rows, files.get("--questions"))
        if sample_clusters is not None:
            _write_sample(data, sample_size, files.get("--sample-clusters"))
        # A table alone needs no figure, and figures take most of the time.
        if is_printed or gates or any(x is not None for x in (html, model_card, badge)):
            # Markdown and the page hold everything.
            is_full = full or markdown or html is not None
            with telling("making the report") as tell:
                built = judged(build(data, judge=judge, full=is_full, tell=tell), data, gates)
        if built is not None and html is not None:
            from homogaudit.report.html import run_page

            write_page("the report", run_page(built, data, judge), files.get("--html"), is_opened=open_page)
        if built is not None and model_card is not None:
            write_text("the model card", to_model_card(built), files.get("--model-card"))
        if built is not None and badge is not None:
            write_text("the badge", to_badge(built), files.get("--badge"))
        if built is not None and is_printed:
            _print(built, as_json=as_json, markdown=markdown, full=full)
        if built is not None and junit is not None:
            write_junit(built, files.get("--junit"))
        with after_report(as_json=as_json):
            check_drawn(stored)
            check_complete(stored)
            if built is not None:
                tell_gates(built)


def _write_questions(rows: "Questions", file: Path | None) -> None:
    """Write a table, or print it where there is no file."""
    from homogaudit.cli.report_progress import telling
    from homogaudit.report.question_table import write_json_lines, write_table
    from homogaudit.store.output_file import replacing

    if file is None:
        stream = typer.get_text_stream("stdout")
        write_json_lines(rows, stream)
        stream.flush()
        return
    with telling("writing the questions"), replacing(file) as draft:
        write_table(rows, draft, file.suffix)
    told(f"{len(rows):,} question{'' if len(rows) == 1 else 's'}", file)
    if rows.directions:
        typer.echo(f"lower is more uncertain in {', '.join(map(in_backticks, rows.directions))}", err=True)


def _write_sample(data: "RunData", size: int | None, file: Path | None) -> None:
    """Write the questions to be judged as a whole, or print them where there is no file."""
    from homogaudit.report.cluster_sample import sample_clusters, to_lines

    sample = sample_clusters(data, size)
    write_text(f"{len(sample)} questions to judge", to_lines(sample), file)


def report_done(
    path: Path,
    *,
    as_json: bool,
    quiet: bool,
    full: bool = False,
    gates: "Gates | None" = None,
    junit: Path | None = None,
) -> None:
    """Print the report of a run that was worked on, and tell then what is missing or wrong.

    Raises:
        HomogauditError: As `check_drawn` and `check_complete`.
        Exit: A gate is not passed.
    """
    from homogaudit.cli.error_line import after_report
    from homogaudit.cli.gates import judged, tell_gates, write_junit
    from homogaudit.cli.report_progress import telling
    from homogaudit.report.build import build
    from homogaudit.report.headline import note_headline
    from homogaudit.report.run_data import read_run
    from homogaudit.store import RunFile

    with telling("reading the answers", quiet=quiet) as tell, RunFile.open(path) as stored:
        data = read_run(stored, late=stored.status == "complete")
        built = build(data, full=full, tell=tell)
        if gates is not None:
            built = judged(built, data, gates)
    note_headline(path, built)
    _print(built, as_json=as_json, full=full)
    if junit is not None:
        write_junit(built, junit)
    with RunFile.open(path) as stored, after_report(as_json=as_json):
        check_drawn(stored)
        check_complete(stored)
        tell_gates(built)


def _print(built: "Report", *, as_json: bool = False, markdown: bool = False, full: bool = False) -> None:
    if as_json:
        from homogaudit.report.json import dumps

        typer.echo(dumps(built))
    elif markdown:
        from homogaudit.report.markdown import to_markdown

        typer.echo(to_markdown(built), nl=False)
    else:
        from rich.console import Console

        from homogaudit.report.console import render_console

        render_console(built, Console(highlight=False), full=full)


def check_drawn(run: "RunFile") -> None:
    """Check that not every draw failed.

    Raises:
        ModelError: All of them did; the message names the commonest reason.
    """
    from homogaudit.questions.wording import quoted

    found = run.failed_draws()
    if found.draws and found.failed == found.draws:
        # A server's words are stored in backticks.
        reason = quoted(found.reason.strip("`"), 200)
        message = f"all {found.draws:,} draws of `{run.path}` failed, most of them because of {reason}"
        raise ModelError(message, "fix that, then start again with `--new` or under another name")


def check_complete(run: "RunFile") -> None:
    """Check that everything is drawn and scored.

    Raises:
        IncompleteRunError: It is not.
    """
    if run.status != "complete":
        if missing := run.missing_shards:
            from homogaudit.store.shards import Shards

            absent = Shards(missing, Shards.of_parameters(run.parameters).of)
            message = f"`{run.path}` is not complete: {absent} {'is' if len(missing) == 1 else 'are'} missing"
            raise IncompleteRunError(message, "`homogaudit merge` it with the missing runs into another file")
        hint = "run its command again to continue"
        if run.is_recorded:
            hint = f"continue with `homogaudit score {shlex.quote(str(run.path))}`"
        raise IncompleteRunError(f"`{run.path}` is not complete: {run.progress().text}", hint)
