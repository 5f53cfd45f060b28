"""Gates on the command line: flags into bounds before hours are spent, and what became of them at the end."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from homogaudit.cli.error_line import show_error
from homogaudit.cli.output import STDOUT
from homogaudit.config.nearest import did_you_mean, in_backticks
from homogaudit.errors import GateFailedError, UsageError

if TYPE_CHECKING:
    from homogaudit.report.gates import Gates
    from homogaudit.report.records import Report
    from homogaudit.report.run_data import RunData
    from homogaudit.store import RunFile


def read_gates(flags: Mapping[str, Any]) -> "Gates":
    """Return the gates behind the flags of a command, which have the names that `options` gives them.

    Raises:
        UsageError: A bound is none, a flag is about gates where there is none, or an earlier run is none.
    """
    from homogaudit.config import load_models, load_settings
    from homogaudit.launch.run_paths import find_run
    from homogaudit.report.gates import Gates
    from homogaudit.statistics import MARGIN

    if (fail_on := flags["fail_on"]) not in (None, "invalid"):
        raise UsageError(f"`--fail-on` is `{fail_on}`", "`invalid` is what it knows")
    if (by := flags["gate_on"]) not in ("interval", "estimate"):
        raise UsageError(f"`--gate-on` is `{by}`", "interval or estimate")
    for flag, bound in (("--max-scr", flags["max_scr"]), ("--max-missed", flags["max_missed"])):
        _check_share(flag, bound, f"it is a share of the {'questions' if flag == '--max-scr' else 'wrong answers'}")
    earlier, margin = flags["no_worse_than"], flags["margin"]
    _check_share("--margin", margin, "0.05 is five points")
    if margin is not None and earlier is None:
        raise UsageError("`--margin` belongs to `--no-worse-than`", "add `--no-worse-than RUN`")
    gates = Gates(
        max_scr=flags["max_scr"],
        min_auroc=_aurocs(flags["min_auroc"] or ()),
        max_missed=flags["max_missed"],
        no_worse_than=earlier and find_run(earlier, load_settings(load_models(flags["models_file"])).runs),
        margin=MARGIN if margin is None else margin,
        valid=fail_on is not None,
        by=by,
    )
    if not gates and (by == "estimate" or flags["junit"] is not None):
        flag = "--junit" if flags["junit"] is not None else "--gate-on"
        raise UsageError(f"`{flag}` is about gates, and there is none", "add one, such as `--max-scr 0.05`")
    return gates


def check_signals(gates: "Gates", recorded: Collection[str] = ()) -> None:
    """Check that the signals of `--min-auroc` exist, in the project or in the run.

    Raises:
        UsageError: One does not.
    """
    if not gates.min_auroc:
        return
    from homogaudit.signals.registry import SIGNALS

    known = [*SIGNALS, *recorded]
    for name in gates.min_auroc:
        if name not in known:
            hint = did_you_mean(name, known, "`homogaudit explain` lists all signals")
            raise UsageError(f"unknown signal {in_backticks(name)} in `--min-auroc`", hint)


def check_until_decided(gates: "Gates") -> None:
    """Check that a run which stops once it is decided can be held against the gates.

    Raises:
        UsageError: One goes by what only a whole file tells.
    """
    flags = {
        "--min-auroc": bool(gates.min_auroc),
        "--no-worse-than": gates.no_worse_than is not None,
        "--gate-on estimate": gates.by == "estimate",
    }
    if given := [flag for flag, is_given in flags.items() if is_given]:
        raise UsageError(
            f"`{given[0]}` goes by a whole file, and `--until-decided` stops before its end", "leave one of them out"
        )


def check_earlier_run(gates: "Gates", run: "RunFile") -> None:
    """Check that a run can be held against that of `--no-worse-than`, as far as its questions tell.

    Raises:
        UsageError: It cannot.
    """
    if gates.no_worse_than is not None:
        from homogaudit.comparison.gate import check_earlier
        from homogaudit.store import RunFile

        with RunFile.open(gates.no_worse_than) as earlier:
            check_earlier(run, earlier)


def judged(built: "Report", data: "RunData", gates: "Gates") -> "Report":
    """Return a report with what became of the gates, those against another run included."""
    from homogaudit.report.gates import judge_gates

    built = judge_gates(built, gates)
    if gates.no_worse_than is None:
        return built
    from homogaudit.comparison.gate import no_worse_gate
    from homogaudit.report.run_data import read_run
    from homogaudit.store import RunFile

    with RunFile.open(gates.no_worse_than) as earlier:
        found = no_worse_gate(built, data, read_run(earlier), gates.margin, gates.by)
    return replace(built, gates=(*built.gates, found))


def check_junit(junit: str | None, *, force: bool) -> Path | None:
    """Check where the gates of a command that prints a report are written, before any work is done.

    Raises:
        UsageError: It would be printed into the report, or may not be written.
        StorageError: Its folder is not there.
    """
    from homogaudit.cli.output import check_targets

    if junit == STDOUT:
        raise UsageError("`--junit -` would print into the report", "name a file")
    return check_targets({"--junit": junit}, force=force).get("--junit")


def write_junit(built: "Report", file: Path | None) -> None:
    """Write the gates of a report for a CI server, or print them where there is no file."""
    from homogaudit.report.junit import to_junit
    from homogaudit.store.output_file import write_text

    if file is None:
        typer.get_text_stream("stdout", encoding="utf-8").write(to_junit(built))
    else:
        write_text(file, to_junit(built))


def tell_gates(built: "Report") -> None:
    """Say on stderr what became of each gate.

    Raises:
        Exit: One is not passed; with the exit code of a gate.
    """
    from homogaudit.report.text import plain

    code = 0
    for gate in built.gates:
        if gate.state == "passed":
            typer.echo(plain(gate.sentence), err=True)
        else:
            code = show_error(GateFailedError(gate.sentence, gate.hint))
    if code:
        raise typer.Exit(code)


def _aurocs(texts: Sequence[str]) -> dict[str, float]:
    """Read `SIGNAL=X`, each signal once."""
    found: dict[str, float] = {}
    for text in texts:
        name, equals, bound = text.rpartition("=")
        try:
            value = float(bound)
        except ValueError:
            equals = ""
            value = math.nan
        if not equals or not name:
            raise UsageError(f"`--min-auroc` is {in_backticks(text)}", "write `SIGNAL=X`, such as `density=0.6`")
        _check_share(f"--min-auroc {name}", value, "0.5 is chance")
        if name in found:
            raise UsageError(f"`--min-auroc` names {in_backticks(name)} twice", "keep one")
        found[name] = value
    return found


def _check_share(flag: str, value: float | None, hint: str) -> None:
    if value is not None and not 0 <= value <= 1:
        raise UsageError(f"`{flag}` must lie between 0 and 1, not `{value:g}`", hint)
