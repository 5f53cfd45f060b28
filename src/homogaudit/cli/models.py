"""`homogaudit models`: which models, embedders and NLI models have names, and which of them are here.

Knows models.toml; loads and downloads nothing.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from homogaudit.cli.options import JsonOption, ModelsOption

if TYPE_CHECKING:
    from homogaudit.config import Entry

_KINDS = {
    "package": ("in Python packages", "present, or how to get it"),
    "huggingface": ("on Hugging Face", "present, or hf download ..."),
    "server": ("on servers", "address"),
    "file": ("in files", "present, or how to get it"),
}
"""Title and last column's head of each group."""


def models(
    models_file: ModelsOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the models, embedders and NLI models that have a name.

    Your own models.toml adds to them. If one is not on this machine, the list
    says how to get it.
    """
    from homogaudit.config import load_models

    named = load_models(models_file)
    if as_json:
        listing = {
            "schema": "homogaudit.models/1",
            "files": [str(file) for file in named.files],
            "generators": [_facts(entry) for entry in named.generators.values()],
            "embedders": [_facts(entry) for entry in named.embedders.values()],
            "nli": [_facts(entry) for entry in named.nli.values()],
        }
        typer.echo(json.dumps(listing, indent=2))
        return
    _print(named.generators.values(), "Models", ("stage", "family"))
    _print(named.embedders.values(), "Embedders", ("MB",))
    _print(named.nli.values(), "NLI models", ("MB",))
    typer.echo("Audit a model by its name: homogaudit run NAME")


def _kind(entry: "Entry") -> str:
    """Return the kind of place that the entry's source names."""
    scheme = entry.source.partition(":")[0]
    return {"package": "package", "hf": "huggingface", "http": "server", "https": "server"}.get(scheme, "file")


def _facts(entry: "Entry") -> dict[str, Any]:
    """Return one entry as JSON values."""
    from homogaudit.config import how_to_get, is_present

    present = is_present(entry)
    facts: dict[str, Any] = {
        key: str(value) if isinstance(value, Path | date) else value for key, value in asdict(entry).items()
    }
    return facts | {
        "kind": _kind(entry),
        "present": present,
        "how_to_get": how_to_get(entry) if present is False else None,
    }


def _where(entry: "Entry") -> str:
    """Return the last cell of an entry's row: here, or how to get it."""
    from homogaudit.config import how_to_get, is_present

    if is_present(entry):
        return "present"
    # The column's head holds the command, so that the id fits beside the name at 80 columns.
    return entry.source.removeprefix("hf:") if _kind(entry) in ("huggingface", "server") else how_to_get(entry)


def _details(entry: "Entry") -> tuple[str, ...]:
    """Return the middle cells of an entry's row."""
    from homogaudit.config import GeneratorEntry

    if isinstance(entry, GeneratorEntry):
        return (entry.stage or "-", entry.family or "-")
    size: float | None = getattr(entry, "size_mb", None)
    return ("-" if size is None else f"{size:.0f}",)


def _print(entries: Iterable["Entry"], what: str, columns: tuple[str, ...]) -> None:
    """Print one table for each kind of place, because how an entry is had depends on the kind."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    by_kind: dict[str, list[Entry]] = {}
    for entry in entries:
        by_kind.setdefault(_kind(entry), []).append(entry)
    for kind, (place, head) in _KINDS.items():
        if kind not in by_kind:
            continue
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="underline")
        for column in ("name", *columns):
            table.add_column(column, no_wrap=True)
        table.add_column(head, overflow="fold")
        for entry in by_kind[kind]:
            table.add_row(*(Text(cell) for cell in (entry.name, *_details(entry), _where(entry))))
        console.print(Text(f"{what} {place}", style="bold"))
        console.print(table)
        console.print()
