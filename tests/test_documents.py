"""README, CONTRIBUTING and the guides: what they tell to type can be typed, and what they link to is there."""

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer

import homogaudit
from homogaudit.cli.app import app
from homogaudit.cli.guide import list_topics

ROOT = Path(__file__).parents[1]
GUIDES = sorted((ROOT / "src/homogaudit/guides").glob("*.md"))
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *GUIDES]

_FENCE = re.compile(r"```(\w*)\n(.*?)```", re.DOTALL)
_SPAN = re.compile(r"`([^`\n]+(?:\n[^`\n]+)?)`")
_NAME = re.compile(r"(?:^|/)homogaudit$")


def blocks(text: str, language: str) -> list[str]:
    return [body for found, body in _FENCE.findall(text) if found == language]


def commands(text: str) -> list[str]:
    """Return every line of a shell block, and every code span that begins with `homogaudit`."""
    lines = [line for block in blocks(text, "sh") for line in block.splitlines()]
    lines += [line.strip() for line in text.splitlines() if line.startswith("    homogaudit ")]
    prose = _FENCE.sub("", text)
    return lines + [" ".join(span.split()) for span in _SPAN.findall(prose) if span.startswith("homogaudit ")]


def programs(line: str) -> list[list[str]]:
    """Return the arguments of each call of `homogaudit` in a shell line; a usage line loses its brackets."""
    words = shlex.split(line.replace("...", ""), comments=True)
    found: list[list[str]] = []
    for number, word in enumerate(words):
        if _NAME.search(word.removesuffix("[demo]")) and (number == 0 or words[number - 1] == "&&"):
            rest = words[number + 1 :]
            end = next((at for at, other in enumerate(rest) if other in ("&&", "|", "<", ">")), len(rest))
            found.append([x.strip("[],") for x in rest[:end]])
    return found


def parse(arguments: list[str]) -> None:
    """Parse a command line down to its command, without running it."""
    command: Any = typer.main.get_command(app)
    context = None
    while True:
        context = command.make_context(command.name, list(arguments), parent=context)
        rest = [*context._protected_args, *context.args]
        if not hasattr(command, "commands") or not rest:
            return
        assert rest[0] in command.commands, f"no command {rest[0]}"
        command, arguments = command.commands[rest[0]], rest[1:]


def all_flags() -> set[str]:
    waiting: list[Any] = [typer.main.get_command(app)]
    flags = {"--help", "-h"}
    while waiting:
        command = waiting.pop()
        waiting += getattr(command, "commands", {}).values()
        flags |= {flag for parameter in command.params for flag in (*parameter.opts, *parameter.secondary_opts)}
    return flags


CALLS = [
    (document.name, line) for document in DOCUMENTS for line in commands(document.read_text("utf-8")) if programs(line)
]


@pytest.mark.parametrize(("document", "line"), CALLS)
def test_every_command_that_is_shown_can_be_typed(document: str, line: str):
    for arguments in programs(line):
        # These two answer at once.
        if not {"--install-completion", "--show-completion"} & set(arguments):
            parse(arguments)


def test_the_commands_are_found():
    assert len(CALLS) > 60
    assert programs(".venv/bin/pip install . && .venv/bin/homogaudit run demo --limit 2  # a comment") == [
        ["run", "demo", "--limit", "2"]
    ]
    with pytest.raises(Exception, match=r"[Nn]o such option"):
        parse(["run", "demo", "--no-such-flag"])
    with pytest.raises(AssertionError, match="no command"):
        parse(["no-such-command"])


# Flags of other programs that the documents name.
_OTHERS = {"--log_samples", "--no-enable-chunked-prefill", "--repeat"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_flag_in_a_sentence_is_one(document: Path):
    prose = _FENCE.sub("", document.read_text("utf-8"))
    spans = [span for span in _SPAN.findall(prose) if not span.startswith(("vllm", "pip", "pytest"))]
    named = {flag for span in spans for flag in re.findall(r"(?<!\S)--[a-z][\w-]*", span)}
    assert named - _OTHERS <= all_flags()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_somewhere(document: Path):
    links = re.findall(r"\]\(([^)#]+)\)", document.read_text("utf-8"))
    broken = [link for link in links if "://" not in link and not (document.parent / link).exists()]
    assert not broken


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_guide_that_is_named_exists(document: Path):
    named = set(re.findall(r"homogaudit guide\s+([a-z]+)", document.read_text("utf-8")))
    assert named <= set(list_topics())


def test_the_readme_links_every_guide_by_its_title():
    readme = (ROOT / "README.md").read_text("utf-8")
    for topic, title in list_topics().items():
        assert f"[{topic}](src/homogaudit/guides/{topic}.md): {title}" in readme


def test_the_readme_names_every_command():
    readme = (ROOT / "README.md").read_text("utf-8")
    command: Any = typer.main.get_command(app)
    assert all(f"`homogaudit {name}" in readme or f"`{name} " in readme for name in command.commands)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_examples_in_python_and_toml_are_well_formed(document: Path):
    text = document.read_text("utf-8")
    for block in blocks(text, "python"):
        compile(block, document.name, "exec")
        for names in re.findall(r"^from homogaudit import (.+)$", block, re.MULTILINE):
            assert all(hasattr(homogaudit, name.strip()) for name in names.split(","))
    for block in blocks(text, "toml"):
        tomllib.loads(block)


def test_extras_that_are_installed_exist():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    for document in DOCUMENTS:
        named = re.findall(r'"(?:homogaudit|\.)\[(\w+)\]"', document.read_text("utf-8"))
        assert set(named) <= set(extras)


def test_modules_and_files_that_are_named_exist():
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    paths = [span for span in _SPAN.findall(text) if re.fullmatch(r"[\w./]+\.(?:py|md|toml)", span)]
    assert paths
    missing = [path for path in paths if not any((base / path).exists() for base in (ROOT, ROOT / "src/homogaudit"))]
    # Of a user's configuration it knows the name alone.
    assert set(missing) <= {"models.toml"}
    packages = re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)
    assert [package for package in packages if not (ROOT / "src/homogaudit" / package).is_dir()] == []
