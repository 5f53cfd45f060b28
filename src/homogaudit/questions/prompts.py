"""From a question to the prompt that a model continues.

Knows templates; knows neither tokens nor models. The template and the question are somebody else's: the
template renders in the sandbox, and the characters of the question and of the system prompt stay marked as untrusted,
so that a tokenizer never reads special tokens out of them.
"""

import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from homogaudit.errors import ConfigError, HomogauditError, ModelError
from homogaudit.questions.sandbox import MAX_SOURCE, CompiledTemplate, TemplateFailure
from homogaudit.questions.thinking import leaves_thinking
from homogaudit.questions.thinking_families import ThinkingChoice, choose_families
from homogaudit.questions.wording import quoted, with_nearest
from homogaudit.records import Prompting

_QUESTION = "7316048259031846"
_SYSTEM = "5820937416650294"
_OTHER_QUESTION = "9047251836602715"
_ANSWER = "6250918374406182"
_FOLLOW_UP = "3481760295518093"
"""Stand-ins for the texts: digits pass unchanged through `trim`, `upper`, `tojson` and HTML escapes."""

_HOLES = re.compile("|".join((_QUESTION, _SYSTEM, _ANSWER, _FOLLOW_UP)))

_BASE_TEMPLATE = "Q: {{ question }}\nA:"
_BASE_STOP = ("\n",)
"""A base model goes on with questions of its own after the end of the line."""

_MODES = ("auto", "chat", "base")

_NO_EFFORT = ("no_think", "none", "minimal", "low")
"""Values of `reasoning_effort` for the least thinking, the least first."""

_SILENCE = "/no_think"
"""What some templates look for in a message to leave thinking off."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a prompt. Only a trusted one may be parsed for special tokens."""

    text: str
    trusted: bool


@dataclass(frozen=True, slots=True)
class Prompt:
    """A rendered prompt.

    Attributes:
        segments: The text in parts; joined they are `text`.
        starts_in_thinking: The prompt itself opens a thinking block and leaves it open.
        system: The system prompt that stands beside a text which is the user's turn alone, for a server to render.
        families: Names of the families whose thinking the model is known to write.
    """

    text: str
    segments: tuple[Segment, ...]
    mode: str
    stop: tuple[str, ...]
    starts_in_thinking: bool
    system: str = ""
    families: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Plan:
    """How one template takes the messages.

    Attributes:
        typed: The content of a message is a list of typed parts rather than a text.
        folded: The system prompt stands at the head of the user's message.
        literals: The template's own text before, between and behind the holes; empty where the holes are not seen.
        holes: What fills them, `_QUESTION`, `_SYSTEM`, and in a conversation `_ANSWER` and `_FOLLOW_UP`.
    """

    typed: bool
    folded: bool
    literals: tuple[str, ...]
    holes: tuple[str, ...]


class PromptRenderer:
    """Renders questions for one model.

    `now` is what a template's date functions say; give the run's start, so that a resumed run renders the same.
    `has_token` tells whether the vocabulary has a control token of a text; `None` where that is not known.

    Attributes:
        mode: `chat` or `base`.
        thinking: How the model's thinking is read.

    Raises:
        ConfigError: An unknown mode, chat mode without a template, or a broken `prompting.template`.
        ModelError: The model's own template is broken.
    """

    def __init__(
        self,
        prompting: Prompting,
        *,
        chat_template: str | None,
        bos_token: str = "",
        eos_token: str = "",
        now: datetime | None = None,
        has_token: Callable[[str], bool] | None = None,
    ) -> None:
        self._prompting = prompting
        self._bos_token = bos_token
        self._eos_token = eos_token
        chat_template = chat_template if chat_template and chat_template.strip() else None
        self.mode = _resolve_mode(prompting, chat_template)
        self._is_given = prompting.template is not None
        source = prompting.template
        if source is None:
            source = chat_template if self.mode == "chat" and chat_template else _BASE_TEMPLATE
        self._system = prompting.system.strip() if self.mode == "chat" else ""
        self._plan_with_own_system: _Plan | None = None
        self._conversation_plans: dict[bool, _Plan | None] = {}
        # A template that was given renders the prompts, and the model goes on as its own taught it.
        templates = (source, chat_template or "") if self.mode == "chat" else ()
        self.thinking: ThinkingChoice = choose_families(prompting, "\n".join(templates), has_token)
        self._switches = _switches(prompting, source)
        self._asks_for_silence = False
        try:
            self._template = CompiledTemplate(source, now=now or datetime.now(UTC))
            self._plan = self._make_plan(has_system=bool(self._system), needs_system=not self._is_given)
            if self._system and not prompting.thinking and prompting.all_switches and _SILENCE in source:
                self._try_silence()
        except TemplateFailure as failure:
            raise self._error(failure) from None

    def render(self, question: str, system: str | None = None) -> Prompt:
        """Return the prompt that asks `question`.

        `system` is the question's own system prompt, which stands before the run's. Where a template has no place for
        one (a base model's, or one that was given without), it stands before the question.

        Raises:
            ConfigError: The given template fails on this question.
            ModelError: The model's own template does.
        """
        try:
            plan, question, line = self._placed(question, system)
            text = self._render(question, line, plan.typed, plan.folded)
        except TemplateFailure as failure:
            raise self._error(failure) from None
        return self._prompt(text, plan, {_QUESTION: question, _SYSTEM: line})

    def render_follow_up(self, question: str, answer: str, follow_up: str, system: str | None = None) -> Prompt | None:
        """Return the prompt that goes on with `follow_up` after the model's own `answer` to `question`.

        `None` where the template has no place for a conversation, as a base model's has none.
        """
        try:
            plan, question, line = self._placed(question, system)
            conversation = self._conversation_plan(plan, has_system=bool(line))
            if conversation is None:
                return None
            text = self._render(question, line, plan.typed, plan.folded, turns=(answer, follow_up))
        except TemplateFailure:
            return None
        return self._prompt(
            text, conversation, {_QUESTION: question, _SYSTEM: line, _ANSWER: answer, _FOLLOW_UP: follow_up}
        )

    def _placed(self, question: str, system: str | None) -> tuple[_Plan, str, str]:
        """Return the plan that fits, and the question and the system prompt as that plan takes them."""
        question = question.strip()
        own = (system or "").strip()
        plan = self._plan_for(own)
        if plan is None:
            plan, question, own = self._plan, f"{own}\n\n{question}", ""
        return plan, question, joined_system(own, self._system)

    def _conversation_plan(self, plan: _Plan, *, has_system: bool) -> _Plan | None:
        """Return how this template goes on after an answer, `None` where it leaves something of that out."""
        if self.mode == "base":
            return None
        if has_system not in self._conversation_plans:
            text = self._render(
                _QUESTION, _SYSTEM if has_system else "", plan.typed, plan.folded, turns=(_ANSWER, _FOLLOW_UP)
            )
            holes = tuple(_HOLES.findall(text))
            is_whole = [hole for hole in holes if hole != _SYSTEM] == [_QUESTION, _ANSWER, _FOLLOW_UP]
            found = replace(plan, literals=tuple(_HOLES.split(text)), holes=holes) if is_whole else None
            self._conversation_plans[has_system] = found
        return self._conversation_plans[has_system]

    def _prompt(self, text: str, plan: _Plan, texts: dict[str, str]) -> Prompt:
        """Return a rendered text as a prompt, the `texts` of its holes marked as untrusted."""
        segments = _segments(text, plan, texts)
        # The template opens thinking behind the question; before it, it may speak of the markers.
        own_end = segments[-1].text if segments and segments[-1].trusted else ""
        return Prompt(
            text="".join(segment.text for segment in segments),
            segments=segments,
            mode=self.mode,
            stop=_BASE_STOP if self.mode == "base" else (),
            starts_in_thinking=leaves_thinking(own_end, self._prompting, self.thinking.families),
            families=self.thinking.families,
        )

    def _try_silence(self) -> None:
        """Ask for no thinking in the system prompt, where the template has no other switch and takes it out again."""
        if not self._thinks_under(self._plan):
            return
        self._asks_for_silence = True
        try:
            plan = self._make_plan(has_system=True, needs_system=True)
        except TemplateFailure:
            plan = None
        if plan is not None and not self._thinks_under(plan):
            self._plan = plan
        else:
            self._asks_for_silence = False

    def _thinks_under(self, plan: _Plan) -> bool:
        own = plan.literals[-1] if plan.literals else ""
        return leaves_thinking(own, self._prompting, self.thinking.families)

    def _plan_for(self, own: str) -> _Plan | None:
        """Return how a question with this system prompt of its own is handed over, `None` where it has no place."""
        if not own:
            return self._plan
        if self.mode == "base":
            return None
        if self._plan_with_own_system is None:
            try:
                self._plan_with_own_system = self._make_plan(has_system=True, needs_system=True)
            except TemplateFailure:
                if not self._is_given:
                    raise
                return None
        return self._plan_with_own_system

    def _make_plan(self, *, has_system: bool, needs_system: bool) -> _Plan:
        """Try the ways to hand over the messages until question and system prompt both arrive in the prompt.

        A system prompt that `needs_system` must arrive: a template that was given may leave the run's out, a model's
        own only lacks a role for it.
        """
        failure: TemplateFailure | None = None
        system = _SYSTEM if has_system else ""
        ways = [(typed, folded) for typed in (False, True) for folded in (False, True) if has_system or not folded]
        for typed, folded in ways:
            try:
                text = self._render(_QUESTION, system, typed, folded, is_trial=True)
                uses_question = _QUESTION in text or text != self._render(
                    _OTHER_QUESTION, system, typed, folded, is_trial=True
                )
            except TemplateFailure as error:
                if error.went_too_far:
                    raise
                # The first failure is the one that speaks of the template as it was meant to be used.
                failure = failure or error
                continue
            holes = tuple(_HOLES.findall(text))
            if not uses_question or (system and needs_system and system not in holes):
                failure = failure or TemplateFailure("it leaves the question or the system prompt out of the prompt")
                continue
            literals = tuple(_HOLES.split(text)) if _QUESTION in holes else ()
            return _Plan(typed, folded, literals, holes)
        raise failure or TemplateFailure("it leaves the question or the system prompt out of the prompt")

    def _render(
        self,
        question: str,
        system: str,
        typed: bool,
        folded: bool,
        *,
        turns: Sequence[str] = (),
        is_trial: bool = False,
    ) -> str:
        """Render the messages; `turns` are those behind the question, the assistant's first."""
        if system and self._asks_for_silence:
            system = f"{system} {_SILENCE}"
        said = [("user", f"{system}\n\n{question}" if folded else question)]
        if system and not folded:
            said.insert(0, ("system", system))
        said += zip(itertools.cycle(("assistant", "user")), turns, strict=False)
        messages: list[dict[str, Any]] = [
            {"role": role, "content": [{"type": "text", "text": content}] if typed else content}
            for role, content in said
        ]
        return self._template.render(
            {
                **self._switches,
                "messages": messages,
                "question": question,
                "system": system,
                "add_generation_prompt": True,
                "tools": None,
                "documents": None,
                "bos_token": self._bos_token,
                "eos_token": self._eos_token,
            },
            is_trial=is_trial,
        )

    def _error(self, failure: TemplateFailure) -> HomogauditError:
        where = "" if failure.line is None else f" line {failure.line}"
        if self._is_given:
            hint = "it sees `question`, `system` and `messages`"
            return ConfigError(f"the prompt template{where} cannot be used: {quoted(failure.reason, 160)}", hint)
        return ModelError(
            f"the model's chat template{where} cannot be used: {quoted(failure.reason, 160)}",
            "give another with `--prompt-template FILE`, or do without one with `--mode base`",
        )


def joined_system(own: str | None, general: str) -> str:
    """Return a question's own system prompt and, below it, that of the run."""
    return "\n\n".join(line for line in ((own or "").strip(), general.strip()) if line)


def load_template(path: str | Path) -> str:
    """Return the template in a file, checked to be one.

    Raises:
        ConfigError: It cannot be read, is not UTF-8 text, is empty, or is not a Jinja template.
    """
    path = Path(path)
    shown = quoted(path, limit=200)
    try:
        # A model file given by mistake is not read to its end.
        with path.open("rb") as stream:
            source = stream.read(4 * MAX_SOURCE + 4).decode("utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(f"no prompt template {shown}", "check the path") from None
    except IsADirectoryError:
        raise ConfigError(f"prompt template {shown} is a folder", "name a file in it") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"prompt template {shown} line {line} is not UTF-8", "save it as UTF-8") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"cannot read prompt template {shown}: {reason.lower()}", "check its permissions") from None
    if not source.strip():
        raise ConfigError(f"prompt template {shown} is empty", "it must at least write `{{ question }}`")
    try:
        CompiledTemplate(source, now=datetime.now(UTC))
    except TemplateFailure as failure:
        where = "" if failure.line is None else f" line {failure.line}"
        raise ConfigError(
            f"prompt template {shown}{where} is not valid: {quoted(failure.reason, 160)}",
            "it is a Jinja template that sees `question`, `system` and `messages`",
        ) from None
    return source


def _resolve_mode(prompting: Prompting, chat_template: str | None) -> str:
    if prompting.mode not in _MODES:
        raise ConfigError(
            f"no prompt mode {quoted(prompting.mode)}",
            with_nearest(prompting.mode, _MODES, "modes: `auto`, `chat`, `base`"),
        )
    has_template = prompting.template is not None or chat_template is not None
    if prompting.mode == "chat" and not has_template:
        raise ConfigError(
            "the model has no chat template, so chat mode cannot be used",
            "use `--mode base`, or give a template with `--prompt-template FILE`",
        )
    if prompting.mode == "auto":
        return "chat" if has_template else "base"
    return prompting.mode


def _switches(prompting: Prompting, template: str) -> dict[str, Any]:
    """Return the variables that switch thinking on or off, by every name that templates read for it."""
    thinking = prompting.thinking
    switches: dict[str, Any] = {"enable_thinking": thinking, "thinking": thinking}
    if not prompting.all_switches:
        return switches
    switches |= {"enable_reasoning": thinking, "reasoning": thinking, "force_reasoning": thinking}
    switches |= {"skip_reasoning": not thinking, "thinking_mode": "enabled" if thinking else "disabled"}
    if not thinking:
        switches["thinking_budget"] = 0
    # An effort that a template does not know may be refused by it, so that only one that it names is given.
    efforts = [word for word in _NO_EFFORT if f"'{word}'" in template or f'"{word}"' in template]
    if efforts and "reasoning_effort" in template:
        switches["reasoning_effort"] = "high" if thinking else efforts[0]
    elif not thinking and "reasoning_effort" in template and re.search("['\"]medium['\"]", template):
        switches["reasoning_effort"] = "low"
    return switches


def _segments(text: str, plan: _Plan, texts: dict[str, str]) -> tuple[Segment, ...]:
    """Split a rendered prompt at the template's own literals; what stands between them is untrusted.

    Where the text does not hold the literals in their order, the question itself steered the template. Then the
    question is put where every other question stands.
    """
    if not plan.literals:
        return (Segment(text, True),)
    plain = [texts[hole] for hole in plan.holes]
    if "".join(literal + filling for literal, filling in zip(plan.literals, [*plain, ""], strict=True)) != text:
        plain = _between(text, plan.literals) or plain
    parts: list[Segment] = []
    for index, literal in enumerate(plan.literals):
        parts.append(Segment(literal, True))
        if index < len(plain):
            parts.append(Segment(plain[index], False))
    return tuple(part for part in parts if part.text)


def _between(text: str, literals: Sequence[str]) -> list[str] | None:
    """Return what stands between the literals, or `None` where they do not fit in one way only.

    A question that holds a literal itself must not move the border behind which its characters count as trusted.
    """
    if not text.startswith(literals[0]) or not text.endswith(literals[-1]):
        return None
    position, end = len(literals[0]), len(text) - len(literals[-1])
    found: list[str] = []
    for literal in literals[1:-1]:
        if text.count(literal, position, end) != 1:
            return None
        at = text.index(literal, position, end)
        found.append(text[position:at])
        position = at + len(literal)
    return [*found, text[position:end]] if position <= end else None
