"""What every term of the report means: definition, formula, unit and source.

The texts lie in glossary.toml; signals and figures bring their own. Knows no run.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from types import MappingProxyType

from homogaudit.config import did_you_mean
from homogaudit.errors import UsageError

_SIGNALS = "signals"
"""The group that the signals' own terms join."""

_OUTPUTS = (("homogaudit.report.records", "Report"), ("homogaudit.comparison.records", "Comparison"))
"""The records whose figures are terms, by module: named here because some stand above this package."""


@dataclass(frozen=True, slots=True)
class Term:
    """One term of the report.

    Attributes:
        name: As the JSON report spells it.
        group: The part of the report that it belongs to.
        definition: One to four sentences.
        formula: In plain characters, `None` where there is none.
        source: Paper or book, `None` where the term is the project's own or common knowledge.
        unit: Unit and range, `None` where it is no quantity.
        aliases: Other names that mean the same.
        boundary: Of a signal, what it looks at.
        cost_class: Of a signal, what a question costs beyond its greedy answer.
        needs: Of a signal, what it is undefined without.
    """

    name: str
    group: str
    definition: str
    formula: str | None = None
    source: str | None = None
    unit: str | None = None
    aliases: tuple[str, ...] = ()
    boundary: str | None = None
    cost_class: str | None = None
    needs: tuple[str, ...] = ()


def _read() -> Mapping[str, Term]:
    """Read glossary.toml, which lies beside this module."""
    text = Path(__file__).with_name("glossary.toml").read_text(encoding="utf-8")
    terms: dict[str, Term] = {}
    for group, entries in tomllib.loads(text).items():
        for name, values in entries.items():
            aliases = tuple(values.pop("aliases", ()))
            terms[name] = Term(name=name, group=group, aliases=aliases, **values)
    return MappingProxyType(terms)


TERMS: Mapping[str, Term] = _read()
"""The terms by name, without the signals' own; see `all_terms`."""


def all_terms() -> dict[str, Term]:
    """Return every term by name, group by group, those of the signals and of the figures included."""
    # Imported here because they bring numpy, which no other use of this module needs.
    from homogaudit.report.figure import figures_within
    from homogaudit.signals.registry import SIGNALS
    from homogaudit.signals.signal import BOUNDARIES, COST_CLASSES

    merged: dict[str, Term] = {}
    for group in dict.fromkeys(term.group for term in TERMS.values()):
        merged |= {name: term for name, term in TERMS.items() if term.group == group}
        if group == _SIGNALS:
            for name, signal in SIGNALS.items():
                merged[name] = Term(
                    name=name,
                    group=_SIGNALS,
                    definition=signal.definition,
                    source=signal.source or None,
                    unit="higher is more uncertain",
                    boundary=f"{signal.boundary}, {BOUNDARIES[signal.boundary]}",
                    cost_class=f"{signal.cost_class}, {COST_CLASSES[signal.cost_class]}",
                    needs=tuple(need.replace("_", " ") for need in signal.needs),
                )
    headings: dict[str, list[str]] = {}
    outputs = (getattr(import_module(module), record) for module, record in _OUTPUTS)
    for name, figure in (x for record in outputs for x in figures_within(record)):
        if figure.means:
            merged[name] = Term(name, "figures", figure.means, figure.formula, figure.source, figure.unit)
        headings.setdefault(figure.term or name, []).append(figure.name)
    spelled = {_folded(alias): term.name for term in merged.values() for alias in term.aliases}
    spelled |= {_folded(name): name for name in merged}
    for field, names in headings.items():
        name = spelled.get(_folded(field))
        for heading in dict.fromkeys(names):
            # What people read over a column is a word for its term.
            if name is not None and _folded(heading) not in spelled:
                merged[name] = replace(merged[name], aliases=(*merged[name].aliases, heading))
                spelled[_folded(heading)] = name
    return merged


def _folded(text: str) -> str:
    """Spell a term one way: lower case, one underscore for any run of spaces, hyphens and underscores."""
    return re.sub(r"[\s_-]+", "_", text.strip().casefold())


def lookup(term: str) -> Term:
    """Return the term that `term` names.

    Args:
        term: A name or an alias; case, spaces, hyphens and underscores do not matter. Of a path into the JSON
            report, such as `homogenization.scr`, the last part counts.

    Raises:
        UsageError: There is no such term; the hint names the nearest.
    """
    terms = all_terms()
    if found := lookup_all([term], terms):
        return found[term]
    shown = f"`{term}`" if term.isprintable() else ascii(term)
    spellings = [name for entry in terms.values() for name in (entry.name, *entry.aliases)]
    hint = did_you_mean(_folded(term), spellings, "`homogaudit explain` lists all terms")
    raise UsageError(f"unknown term {shown}", hint)


def lookup_all(names: Iterable[str], terms: Mapping[str, Term] | None = None) -> dict[str, Term]:
    """Return the terms that `lookup` would return, by the names asked for; a name without one is left out."""
    terms = all_terms() if terms is None else terms
    by_spelling = {_folded(alias): entry for entry in reversed(list(terms.values())) for alias in entry.aliases}
    by_spelling |= {_folded(entry.name): entry for entry in terms.values()}
    found = {
        name: by_spelling.get(_folded(name)) or by_spelling.get(_folded(name.rpartition(".")[2])) for name in names
    }
    return {name: entry for name, entry in found.items() if entry is not None}
