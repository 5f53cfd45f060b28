"""`homogaudit guide [TOPIC]`: texts that explain how something is done, read in the terminal.

Knows topics as Markdown files of the package; their words are theirs.
"""

import sys
from importlib.resources import files
from typing import Annotated

import typer

from homogaudit.config.nearest import did_you_mean
from homogaudit.errors import UsageError

__all__ = ["guide"]


def guide(
    topic: Annotated[str | None, typer.Argument(metavar="TOPIC", help="What to explain; left out, the topics.")] = None,
) -> None:
    """Explain how something is done, a topic a page."""
    pages = {page.name.removesuffix(".md"): page for page in files("homogaudit").joinpath("guides").iterdir()}
    if topic is None:
        for name in sorted(pages):
            title = pages[name].read_text(encoding="utf-8").partition("\n")[0].lstrip("# ")
            typer.echo(f"{name}  {title}")
        return
    page = pages.get(topic.strip().lower())
    if page is None:
        listed = ", ".join(f"`{name}`" for name in sorted(pages))
        raise UsageError(f"no guide `{topic}`", did_you_mean(topic, pages, f"topics: {listed}"))
    text = page.read_text(encoding="utf-8")
    if not sys.stdout.isatty():
        # Piped or in a file it is the Markdown that it is.
        typer.echo(text, nl=False)
        return
    from rich.console import Console
    from rich.markdown import Markdown

    Console().print(Markdown(text))
