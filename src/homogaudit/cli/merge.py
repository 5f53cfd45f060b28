"""`homogaudit merge RUN RUN ... -o OUT`: one run file out of shards, or of runs on several servers."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from homogaudit.cli import completion
from homogaudit.cli.options import JsonOption, MaxCostOption, QuietOption, YesOption
from homogaudit.errors import HomogauditError


def merge(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN...",
            help="Run files, or names of runs.",
            show_default=False,
            autocompletion=completion.runs,
        ),
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="OUT", help="The run file to write.", show_default=False)
    ],
    max_cost: MaxCostOption = None,
    yes: YesOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Join runs of shards of one question file into a single run.

    The runs must have the same model, decoding parameters and question file,
    and a sample that is in two of them must be the same in both. If a shard is
    missing, the merged run stays unfinished; merge it with that shard later.
    What depends on all questions is scored again, without the model. Prints the
    report.
    """
    from homogaudit.cli.consent import make_consent
    from homogaudit.cli.engine_job import carry_out
    from homogaudit.cli.report import report_done
    from homogaudit.launch.resume import plan_resume
    from homogaudit.launch.run_paths import find_run, runs_folder
    from homogaudit.questions.wording import listed
    from homogaudit.report.text import plain
    from homogaudit.signals.registry import SIGNALS, RunSignal
    from homogaudit.store.merge import merge_runs

    folder = runs_folder()
    paths = list(dict.fromkeys(find_run(run, folder) for run in runs))
    merged = merge_runs(paths, output, run_signals=[x.name for x in SIGNALS.values() if isinstance(x, RunSignal)])
    if not quiet:
        typer.echo(f"runs merged into {plain(str(output))}: {len(paths)}", err=True)
        for warning in merged.warnings:
            typer.echo(f"warning: {plain(warning)}", err=True)
        if merged.unfinished:
            typer.echo(f"warning: not all drawn: {plain(listed(merged.unfinished))}", err=True)
    try:
        plan = plan_resume(output, draws=False, max_cost=max_cost, consent=make_consent(is_agreed=yes))
        carry_out(plan, is_agreed=yes or max_cost is not None, quiet=quiet)
    except HomogauditError:
        typer.echo(
            f"merged but not scored: continue with `homogaudit score {plain(shlex.quote(str(output)))}`", err=True
        )
        raise
    report_done(output, as_json=as_json, quiet=quiet)
