"""`homogaudit explain`: what a term of the report means. Knows no run."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from homogaudit.cli import completion
from homogaudit.cli.options import JsonOption

if TYPE_CHECKING:
    from homogaudit.report.glossary import Term


def explain(
    term: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TERM",
            help="A term of the report, such as scr; without it, list them all.",
            autocompletion=completion.terms,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Explain a term of the report: meaning, formula and source."""
    # Imported here because the signals, which explain themselves, bring numpy.
    from homogaudit.report.glossary import all_terms, lookup

    if not term:
        terms = all_terms()
        if as_json:
            listing = {"schema": "homogaudit.glossary/1", "terms": [asdict(entry) for entry in terms.values()]}
            typer.echo(json.dumps(listing, indent=2))
        else:
            _print_list(terms)
        return
    # Words that the shell took apart are one term: `explain semantic entropy` needs no quotes.
    found = lookup(" ".join(term))
    if as_json:
        typer.echo(json.dumps({"schema": "homogaudit.term/1", **asdict(found)}, indent=2))
    else:
        _print_term(found)


def _print_list(terms: Mapping[str, "Term"]) -> None:
    """Print the names of all terms, group by group."""
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    console = Console()
    for group in dict.fromkeys(term.group for term in terms.values()):
        console.print(Text(group, style="bold"))
        names = Text("  ".join(term.name for term in terms.values() if term.group == group))
        console.print(Padding(names, (0, 0, 0, 2), expand=False))


def _print_term(term: "Term") -> None:
    """Print one term for people, readable at 80 columns and without colour."""
    from rich.console import Console
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    console = Console()
    console.print(Text(term.name, style="bold"))
    console.print(Padding(Text(term.definition), (0, 0, 0, 2), expand=False))
    facts = {
        "formula": term.formula,
        "boundary": term.boundary,
        "unit": term.unit,
        "cost": term.cost_class,
        "needs": ", ".join(term.needs),
        "source": term.source,
        "also": ", ".join(term.aliases),
    }
    grid = Table.grid(padding=(0, 2))
    for name, value in facts.items():
        if value:
            grid.add_row(Text(f"  {name}"), Text(value))
    if grid.row_count:
        console.print()
        console.print(grid)
