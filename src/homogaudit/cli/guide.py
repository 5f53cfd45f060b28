"""`homogaudit guide [TOPIC]`: texts that explain how something is done, read in the terminal.

Knows topics as Markdown files of the package; their words are theirs.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from homogaudit.cli.completion import completer
from homogaudit.config.nearest import did_you_mean
from homogaudit.errors import UsageError

_GUIDES = Path(__file__).parents[1] / "guides"


def list_topics() -> dict[str, str]:
    """Return the title of each guide by its topic."""
    pages = {page.stem: page.read_text(encoding="utf-8") for page in _GUIDES.glob("*.md")}
    return {topic: pages[topic].partition("\n")[0].lstrip("# ") for topic in sorted(pages)}


def guide(
    topic: Annotated[
        str | None,
        typer.Argument(
            metavar="TOPIC",
            help="Which guide to read; without it, list them.",
            autocompletion=completer(lambda: list_topics().items()),
        ),
    ] = None,
) -> None:
    """Read how something is done, one topic at a time."""
    topics = list_topics()
    if topic is None:
        width = max(map(len, topics))
        for name, title in topics.items():
            typer.echo(f"{name:<{width}}  {title}")
        return
    name = topic.strip().lower()
    if name not in topics:
        listed = ", ".join(f"`{name}`" for name in topics)
        raise UsageError(f"no guide `{topic}`", did_you_mean(topic, topics, f"topics: {listed}"))
    text = (_GUIDES / f"{name}.md").read_text(encoding="utf-8")
    if not sys.stdout.isatty():
        # Piped or in a file it is the Markdown that it is.
        typer.echo(text, nl=False)
        return
    from rich.console import Console
    from rich.markdown import Markdown

    Console().print(Markdown(text))
