"""What a shell completes: names of models, samples, runs, terms and the like. Each function imports what it lists."""

import os
from collections.abc import Callable, Iterable
from typing import Any

Completion = tuple[str, str]
"""A word, and what some shells show beside it."""


def completer(list_words: Callable[[], Iterable[Completion]]) -> Callable[[str], list[Completion]] | None:
    """Return what typer calls with the beginning of a word; where the words cannot be listed there are none."""
    if "_HOMOGAUDIT_COMPLETE" not in os.environ:
        # Typer examines every such function before it does anything, and no shell is asking.
        return None

    def complete(incomplete: str) -> list[Completion]:
        try:
            return [(word, shown) for word, shown in list_words() if word.startswith(incomplete)]
        except Exception:
            # An error message would end up in the middle of what is typed.
            return []

    return complete


def _entries(table: str) -> list[Completion]:
    from homogaudit.config import load_models

    entries: dict[str, Any] = getattr(load_models(), table)
    return [(name, entry.description or entry.source) for name, entry in entries.items()]


def _judges() -> Iterable[Completion]:
    from homogaudit.labels.judges import JUDGES, RECORDED

    return [(name, "") for name in ("auto", *JUDGES, RECORDED, "none")]


def _questions() -> Iterable[Completion]:
    from homogaudit.launch.arguments import packaged_questions

    # Where no sample fits, shells complete files.
    return [(name, "packaged sample") for name in packaged_questions()]


def _runs() -> Iterable[Completion]:
    from homogaudit.launch.run_paths import SUFFIX, list_runs, runs_folder

    return [(path.name.removesuffix(SUFFIX), "") for path in list_runs(runs_folder())]


def _protocols() -> Iterable[Completion]:
    from homogaudit.protocols import list_protocols

    return [(protocol.name, protocol.title) for protocol in list_protocols()]


def _terms() -> Iterable[Completion]:
    from homogaudit.report.glossary import all_terms

    return [(name, "") for name in all_terms()]


models = completer(lambda: _entries("generators"))
embedders = completer(lambda: _entries("embedders"))
nli_models = completer(lambda: _entries("nli"))
judges = completer(_judges)
questions = completer(_questions)
runs = completer(_runs)
terms = completer(_terms)
protocols = completer(_protocols)
