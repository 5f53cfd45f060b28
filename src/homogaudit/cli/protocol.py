"""`homogaudit protocol list` and `protocol run NAME`: published experiments, their figures beside measured ones.

Knows flags and starts the commands; what a protocol is, `homogaudit.protocols` knows.
"""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Annotated

import typer

from homogaudit.cli import completion
from homogaudit.cli.options import JsonOption, LimitOption, MaxTokensOption, QuietOption
from homogaudit.errors import UsageError

if TYPE_CHECKING:
    from homogaudit.protocols import Protocol, ProtocolResult
    from homogaudit.protocols.running import Outcome

app = typer.Typer(no_args_is_help=True, help="Repeat published experiments on models of yours.")

_ALL = "all"


@app.command("list")
def list_(as_json: JsonOption = False) -> None:
    """List the published experiments, and what each needs."""
    from homogaudit.protocols import list_protocols

    protocols = list_protocols()
    if as_json:
        import json

        from homogaudit.codec import to_values

        listing = {"schema": "homogaudit.protocols/1", "protocols": [to_values(x) for x in protocols]}
        typer.echo(json.dumps(listing, indent=2))
        return
    width = max(len(protocol.name) for protocol in protocols)
    for protocol in protocols:
        numbers = ", ".join(map(str, protocol.experiments))
        roles = " ".join(f"--{role}" for role in protocol.roles())
        line = f"{numbers:>3}  {protocol.name:<{width}}  {protocol.title} ({roles})"
        typer.echo(fill(line, 80, subsequent_indent=" " * (width + 7), drop_whitespace=True, break_on_hyphens=False))


@app.command("run")
def run_(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME...",
            help="Names or numbers from `protocol list`, or `all`.",
            autocompletion=completion.protocols,
        ),
    ],
    model: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="The model to measure.", autocompletion=completion.models),
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL", help="The base model that it was aligned from.", autocompletion=completion.models
        ),
    ] = None,
    sft: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="The stage between the two: fine-tuned, not yet on preferences.",
            autocompletion=completion.models,
        ),
    ] = None,
    other: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="A model of another family or size.", autocompletion=completion.models),
    ] = None,
    quantized: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="The model in another quantization.", autocompletion=completion.models),
    ] = None,
    nli: Annotated[
        str | None, typer.Option(metavar="NAME", help="An NLI model.", autocompletion=completion.nli_models)
    ] = None,
    embedder: Annotated[
        str | None, typer.Option(metavar="NAME", help="A second embedder.", autocompletion=completion.embedders)
    ] = None,
    questions: Annotated[
        str | None,
        typer.Option(
            metavar="QUESTIONS",
            help="Ask these instead of each protocol's packaged ones.",
            autocompletion=completion.questions,
        ),
    ] = None,
    limit: LimitOption = None,
    samples: Annotated[int | None, typer.Option("-n", "--samples", help="Samples per question (N).")] = None,
    max_tokens: MaxTokensOption = None,
    runs: Annotated[
        list[str] | None,
        typer.Option(
            "--run",
            metavar="[STEP=]FILE",
            help="A run or recorded answers in place of what the protocol would draw; may be given several times.",
        ),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FOLDER", help="Where the run files are kept; default: with your runs."),
    ] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown.")] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Run published experiments and print each published figure beside the measured one.

    Protocols that need the same run share it. If interrupted, the same command
    goes on where it stopped. Exits with 3 if nothing could be measured.
    """
    from homogaudit.errors import EngineError
    from homogaudit.launch.run_paths import runs_folder
    from homogaudit.protocols import ProtocolResults, Runner
    from homogaudit.protocols.running import SOURCE, Request

    if as_json and markdown:
        raise UsageError("`--json` and `--markdown` both print to standard output", "keep one")
    roles = {"model": model, "base": base, "sft": sft, "other": other, "quantized": quantized}
    roles |= {"nli": nli, "embedder": embedder}
    request = Request(
        folder=folder or runs_folder() / "protocols",
        roles={role: name for role, name in roles.items() if name is not None},
        questions=questions,
        limit=limit,
        samples=samples,
        max_tokens=max_tokens,
        runs=tuple(_named_run(text) for text in runs or ()),
        quiet=quiet,
    )
    runner = Runner(request, _execute)
    protocols = _chosen(names)
    found: list[ProtocolResult] = []
    for protocol in protocols:
        if not quiet and len(protocols) > 1:
            typer.echo(f"protocol {protocol.name}: {protocol.title}", err=True)
        found.append(runner.run(protocol))
    results = ProtocolResults(source=SOURCE, protocols=tuple(found))
    if as_json:
        from homogaudit.report.json import dumps

        typer.echo(dumps(results))
    else:
        from homogaudit.protocols.layout import result_section

        sections = [result_section(result) for result in results.protocols]
        if markdown:
            from homogaudit.report.markdown import sections_to_markdown

            typer.echo(sections_to_markdown("Published and measured", sections), nl=False)
        else:
            from rich.console import Console

            from homogaudit.report.console import render_sections

            render_sections(sections, Console(highlight=False))
    if not any(result.is_measured for result in found):
        from homogaudit.cli.error_line import after_report

        with after_report(as_json=as_json):
            raise EngineError("no figure could be measured", "each protocol says what is missing")


def _chosen(names: Sequence[str]) -> "list[Protocol]":
    """Return the protocols that names stand for, each once."""
    from homogaudit.protocols import list_protocols, read_protocol

    found: dict[str, Protocol] = {}
    for name in names:
        for protocol in list_protocols() if name == _ALL else (read_protocol(name),):
            found[protocol.name] = protocol
    return list(found.values())


def _named_run(text: str) -> tuple[str | None, Path]:
    """Return the step and the file of a `--run`; a file whose name has an equals sign is still one."""
    step, equals, file = text.partition("=")
    if not equals or Path(text).expanduser().is_file():
        return None, Path(text).expanduser()
    return step, Path(file).expanduser()


def _execute(arguments: Sequence[str]) -> "Outcome":
    """Run a command as a process of its own: models leave memory with it, and progress goes to our stderr."""
    from homogaudit.config.python_child import child_environment, python_command
    from homogaudit.protocols.running import Outcome

    process = subprocess.Popen(
        python_command("homogaudit", *arguments),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env=child_environment(),
    )
    assert process.stdout is not None
    printed = bytearray()
    while True:
        try:
            while not process.stdout.closed and (part := process.stdout.read(1 << 16)):
                printed += part
            process.stdout.close()
            code = process.wait()
            break
        except KeyboardInterrupt:
            # The command got it too, keeps what it has, and says by its exit code that it was stopped.
            continue
    return Outcome(code, printed.decode("utf-8", "replace"))
