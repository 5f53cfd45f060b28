"""The report as Markdown, everything in it: what others wrote cannot become a table cell, a link, HTML or code."""

import re

from homogaudit.report.layout import Section, Table, sections
from homogaudit.report.records import Report

__all__ = ["to_markdown"]

_SPECIAL = re.compile(r"([\\`*_\[\]#~|$])")
_CODE = re.compile(r"(?<!`)`([^`\\<>&]+)`(?!`)")
"""A code span of harmless text; spans that touch are not taken for any, because their backticks would run together."""


def to_markdown(report: Report) -> str:
    """Return the report as GitHub-flavoured Markdown."""
    first, *others = sections(report, full=True)
    parts = [f"# {_escape(first.title)}", *_body(first)]
    for section in others:
        parts += [f"## {_escape(section.title)}", *_body(section)]
    return "\n\n".join(parts) + "\n"


def _body(section: Section) -> list[str]:
    warnings = ["\n".join(f"- **warning:** {_escape(line)}" for line in section.warnings)] if section.warnings else []
    return [
        *warnings,
        *(_escape(line) for line in section.lines),
        *(_table(table) for table in section.tables),
        *(_escape(line) for line in section.notes),
    ]


def _escape(text: str) -> str:
    """Escape what Markdown or HTML would read as markup; what stands between backticks becomes code."""
    parts = _CODE.split(text)
    # Odd parts are what stood between backticks: a code span shows it as it is, but a bar still ends a table cell.
    return "".join(
        "`" + part.replace("|", "\\|") + "`" if number % 2 else _escape_words(part) for number, part in enumerate(parts)
    )


def _escape_words(text: str) -> str:
    html = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _SPECIAL.sub(r"\\\1", html)


def _table(table: Table) -> str:
    rows = [table.columns, *table.rows]
    lines = ["| " + " | ".join(_escape(cell) for cell in row) + " |" for row in rows]
    rule = "|".join(["---", *("---:" for _ in table.columns[1:])])
    return "\n".join([lines[0], f"|{rule}|", *lines[1:]])
