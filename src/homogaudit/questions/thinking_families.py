"""How model families write thinking and answers: the table of `thinking.toml`, and which of it a model uses.

Knows markers and templates; what they make of a text is the business of `thinking`.
"""

import re
import tomllib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

from homogaudit.codec import from_values
from homogaudit.questions.wording import listed, quoted
from homogaudit.records import Prompting

_DEFAULT = Prompting()

_SPEAKS_OF_THINKING = re.compile(
    r"enable_thinking|enable_reasoning|reasoning_content|thinking_budget|\.thinking\b|\[['\"](?:thinking|reasoning)['\"]\]"
    r"|\.reasoning\b|\.thoughts?\b|[<\[][^<>\[\]\s'\"]*think[^<>\[\]\s'\"]*[>\]]",
    re.IGNORECASE,
)
"""What a template holds that gives a model's earlier thoughts a place, or a switch for its next ones."""

_COMMENT = re.compile(r"\{#.*?#\}", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Channels:
    """How a family tells messages apart. See `thinking.toml` for what each field means."""

    signature: tuple[str, ...]
    header: re.Pattern[str]
    end: re.Pattern[str]
    begins: tuple[str, ...]
    thinks: frozenset[str]
    answers: frozenset[str]
    remarks: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Family:
    """One way of writing thinking and answers. See `thinking.toml` for what each field means."""

    name: str
    template: tuple[str, ...] = ()
    vocabulary: tuple[str, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()
    prose: tuple[tuple[re.Pattern[str], re.Pattern[str]], ...] = ()
    wrappers: tuple[tuple[str, str], ...] = ()
    tokens: tuple[str, ...] = ()
    shows: bool = True
    ends_message: tuple[str, ...] = ()
    ends_answer: tuple[str, ...] = ()
    channels: Channels | None = None

    @property
    def markers(self) -> tuple[str, ...]:
        """What encloses thinking and answers, as far as it is looked for in every vocabulary."""
        return tuple(text for pair in (*self.pairs, *self.wrappers) for text in pair if text) if self.shows else ()


@dataclass(frozen=True, slots=True)
class ThinkingChoice:
    """Which markers are looked for first in what a model writes.

    Attributes:
        families: Their names; empty where nothing tells.
        reason: What told, for people.
        unknown: What a template shows of thinking whose markers the table does not know; empty where it does.
        shown: Markers whose control tokens belong into the text of an answer, at least those that are looked for.
        ends_message: Control tokens that end a message and not the answer.
        ends_answer: Control tokens that end the answer.
    """

    families: tuple[str, ...] = ()
    reason: str = ""
    unknown: str = ""
    shown: tuple[str, ...] = ()
    ends_message: tuple[str, ...] = ()
    ends_answer: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """What is said of the choice before anything is drawn; empty where there is nothing to say."""
        if self.unknown:
            return (
                f"the chat template mentions thinking ({quoted(self.unknown, 40)}) but its markers are not known: "
                "name them with `--think-markers OPEN CLOSE`, or thoughts may count as answers"
            )
        return f"thinking is read as {listed(self.families)}: {self.reason}" if self.families else ""


@cache
def families() -> Mapping[str, Family]:
    """Return the table, by name, the more special families first."""
    return {entry["name"]: from_values(Family, entry) for entry in _table()["family"]}


@cache
def end_tokens() -> tuple[str, ...]:
    """Return the control tokens that end a turn, in any vocabulary."""
    return tuple(_table()["ends"])


@cache
def _table() -> Mapping[str, Any]:
    return tomllib.loads(files("homogaudit.questions").joinpath("thinking.toml").read_text(encoding="utf-8"))


def known(names: Collection[str]) -> list[Family]:
    """Return the families of these names, in the order of the table; a name from another version is left out."""
    return [family for name, family in families().items() if name in names]


def own_markers(prompting: Prompting) -> bool:
    """Whether the user names the markers, which then are the only ones."""
    return (prompting.think_open, prompting.think_close) != (_DEFAULT.think_open, _DEFAULT.think_close)


def choose_families(
    prompting: Prompting, template: str | None, has_token: Callable[[str], bool] | None = None
) -> ThinkingChoice:
    """Choose the families whose markers a model uses.

    The markers of `prompting` stand before everything where they are not the default ones. `has_token` tells whether
    the vocabulary has a control token of a text; `None` where that is not known.
    """
    source = _COMMENT.sub("", template or "")
    folded = source.casefold()
    found: dict[str, str] = {}
    for family in families().values():
        texts = family.template or [text for pair in family.pairs for text in pair if text]
        evidence = next((text for text in texts if text.casefold() in folded), None)
        if evidence is not None:
            found.setdefault(family.name, f"the chat template holds {quoted(evidence, 60)}")
        elif has_token is not None and (token := next(filter(has_token, family.vocabulary), None)):
            found.setdefault(family.name, f"the vocabulary holds {quoted(token, 60)}")
    chosen = known(found)
    # How a vocabulary ends its messages does not depend on what the user looks for in them.
    choice = ThinkingChoice(
        ends_message=tuple(text for family in chosen for text in family.ends_message),
        ends_answer=tuple(text for family in chosen for text in family.ends_answer),
    )
    if own_markers(prompting):
        return replace(choice, shown=tuple(filter(None, (prompting.think_open, prompting.think_close))))
    # What stands around thinking has no other use; the tokens of channels have, in other vocabularies.
    shown = [text for family in families().values() for text in family.markers]
    shown += [text for family in chosen for text in family.tokens]
    choice = replace(choice, shown=tuple(dict.fromkeys(shown)))
    if found:
        return replace(choice, families=tuple(found), reason=next(iter(found.values())))
    speaks = _SPEAKS_OF_THINKING.search(source)
    return replace(choice, unknown=speaks[0] if speaks else "")
