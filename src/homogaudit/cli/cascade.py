"""`homogaudit cascade fit` and `cascade apply`: a policy from a labelled run, and its decisions on other answers.

Knows flags and files; what a policy is and does, the report and the cascade know.
"""

import contextlib
import json
from collections.abc import Generator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from homogaudit.cli import completion
from homogaudit.cli.options import JsonOption, RunArgument, split_names
from homogaudit.cli.output import ForceOption, check_targets
from homogaudit.launch.run_paths import find_run, runs_folder

if TYPE_CHECKING:
    from homogaudit.store.run_file import RunFile

app = typer.Typer(no_args_is_help=True, help="Fit a cascade of signals, and decide which answers to flag.")


@app.command()
def fit(
    run: RunArgument = None,
    output: Annotated[
        Path, typer.Option("-o", "--out", "--output", metavar="FILE", help="The policy file to write.")
    ] = Path("policy.json"),
    signals: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help="The signals to ask, separated by commas; default: the best one for each kind of evidence.",
        ),
    ] = None,
    judge: Annotated[
        str | None, typer.Option(metavar="JUDGE", help="Fit to the labels of this judge; default: the run's own.")
    ] = None,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Fit a cascade policy to the labelled questions of a run.

    Prints the policy, and how well it did on questions that it was not fitted to.
    """
    from homogaudit.cli.report import check_complete
    from homogaudit.report.build import SEED
    from homogaudit.report.cascade_policy import fit_run_policy
    from homogaudit.store.output_file import check_output, write_text
    from homogaudit.store.run_file import RunFile

    path = find_run(run, runs_folder())
    check_output(output, replace=force)
    with RunFile.open(path) as stored:
        check_complete(stored)
        policy = fit_run_policy(stored, seed=SEED, signals=split_names(signals), judge=judge)
    write_text(output, policy.to_json())
    if as_json:
        from homogaudit.codec import to_values

        document = {"schema": "homogaudit.cascade_fit/1", "policy": str(output), **to_values(policy)}
        typer.echo(json.dumps(document, indent=2, allow_nan=False))
        return
    from rich.console import Console

    from homogaudit.report.cascade_layout import policy_section
    from homogaudit.report.console import render_sections

    render_sections([policy_section(policy, str(output))], Console(highlight=False))


@app.command()
def apply(
    policy: Annotated[
        Path, typer.Argument(metavar="POLICY", help="A policy file that `cascade fit` wrote.", show_default=False)
    ],
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="RUN|FILE",
            help="A run, or recorded answers in any layout that `import` reads; default: the newest run.",
            autocompletion=completion.runs,
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="Write the decisions to this file, one JSON line per question; - for standard output.",
        ),
    ] = None,
    force: ForceOption = False,
    judge: Annotated[
        str | None,
        typer.Option(metavar="JUDGE", help="Count errors by the labels of this judge; default: the run's own."),
    ] = None,
    allow_other: Annotated[
        bool, typer.Option("--allow-other-model", help="Decide answers of another model than the policy was fitted to.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Decide which answers of a run to accept and which to flag.

    A question without a signal that the cascade needs stays undecided, and the
    reason is given.
    """
    from homogaudit.cascade.policy import Cascade
    from homogaudit.codec import to_values
    from homogaudit.report.cascade_policy import apply_policy, run_model
    from homogaudit.store.output_file import write_text

    file = check_targets({"--output": output}, ["--json"] * as_json, force=force).get("--output")
    cascade = Cascade.load(policy)
    with _opened(run) as stored:
        cascade.require_model(*run_model(stored), allow_other=allow_other)
        applied = apply_policy(cascade.policy, stored, judge=judge)
    if output is not None:
        text = "".join(json.dumps(to_values(x), allow_nan=False) + "\n" for x in applied.decisions)
        if file is None:
            typer.echo(text, nl=False)
            return
        write_text(file, text)
    if as_json:
        document = {"schema": "homogaudit.cascade_decisions/1", **to_values(applied)}
        typer.echo(json.dumps(document, indent=2, allow_nan=False))
        return
    from rich.console import Console

    from homogaudit.report.cascade_layout import applied_section
    from homogaudit.report.console import render_sections

    render_sections([applied_section(cascade.policy, applied)], Console(highlight=False))


@contextlib.contextmanager
def _opened(text: str | None) -> Generator["RunFile"]:
    """Open a run; recorded generations become one that passes."""
    from homogaudit.questions.thinking import ParsedAnswer, split_thinking
    from homogaudit.recordings import read_recording
    from homogaudit.records import Prompting
    from homogaudit.signals.registry import SIGNALS
    from homogaudit.store.recorded import write_run
    from homogaudit.store.run_file import RunFile
    from homogaudit.store.run_schema import schema_version

    def parse_answer(answer: str) -> ParsedAnswer:
        return split_thinking(answer, Prompting(), False)

    file = None if text is None else Path(text).expanduser()
    if file is None or not file.is_file() or schema_version(file) is not None:
        with RunFile.open(find_run(text, runs_folder())) as run:
            yield run
        return
    recorded = read_recording(file, parse_answer=parse_answer).file
    with (
        TemporaryDirectory(prefix="homogaudit-") as folder,
        write_run(recorded, Path(folder) / "recorded.audit", own_signals=SIGNALS.keys()) as run,
    ):
        yield run
