"""What the answers of a whole run say of its thinking, where no chat template tells.

A server, or whoever recorded a file, may have opened the thinking in a prompt that nobody sees here. Then most answers
close what they never opened, and one that never does is thoughts and nothing else. This is decided from the stored raw
texts alone, so that neither the order of the draws nor a resume or a merge changes it.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from homogaudit.questions.thinking import ParsedAnswer, split_at, split_thinking
from homogaudit.questions.thinking_families import ThinkingChoice, families
from homogaudit.questions.wording import listed
from homogaudit.records import Generation, GenerationState, Prompting
from homogaudit.store import RunFile
from homogaudit.store.facts import ThinkingFacts

_LEAST = 3
"""Answers that close what they never opened, before they say anything of the others."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """What was decided anew.

    Attributes:
        changed: Ids of the questions some of whose answers are read otherwise than they were stored.
    """

    changed: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()


class ThinkingStates:
    """Reads the answers of one run, each in the light of all."""

    def __init__(self, run: RunFile) -> None:
        self._run = run
        parameters = run.parameters
        self._is_recorded = run.is_recorded
        self._is_served = run.model_source.kind == "server"
        self.is_open = (self._is_recorded and not parameters.get("keep_thinking")) or self._is_served
        self._prompting = _prompting(parameters)
        self._given: set[tuple[str, int]] = set()
        if self._is_recorded and self.is_open:
            self._given = self._given_answers()
        self._settled: Settlement | None = None
        self._finished = self._unopened = 0
        self.begins_in_prompt = False
        """Whether the answers, when they were last looked at, have shown that thinking begins where nobody sees it."""
        self._looked_at = 0
        self._names: tuple[str, ...] = ()

    def read(self, generation: Generation) -> Generation:
        """Return a new draw, its answer read as the run's other answers are so far."""
        if not self.is_open or generation.state is GenerationState.ERROR:
            return generation
        self._settled = None
        alone = self._split(generation.text, False)
        self._count(alone, generation)
        parsed = self._split(generation.text, True) if self.begins_in_prompt else alone
        return replace(generation, answer=parsed.answer, state=parsed.state)

    @property
    def is_due(self) -> bool:
        """Whether the answers so far speak otherwise than when they were last looked at.

        Asked for seldom, so that a run at the border does not read all of its texts again with every draw.
        """
        if not self.is_open or self._finished < 2 * self._looked_at:
            return False
        self._looked_at = self._finished
        return self._opens_in_prompt() != self.begins_in_prompt

    def settle(self) -> Settlement:
        """Read every stored raw text again and store what is read otherwise now."""
        if not self.is_open:
            return Settlement()
        if self._settled is not None:
            return replace(self._settled, changed=())
        self._finished = self._unopened = 0
        holds: Counter[str] = Counter()
        for draw in self._open_draws():
            parsed = split_thinking(draw.text, self._prompting, False)
            self._count(parsed, draw)
            if parsed.family:
                holds[parsed.family] += 1
        # Plain words are markers where another text of the run shows that they are.
        self._names = tuple(name for name, family in families().items() if name in holds and family.prose)
        self.begins_in_prompt = self._opens_in_prompt()
        self._looked_at = self._finished
        changes: list[Generation] = []
        ends: Counter[str] = Counter()
        unclosed = cut = 0
        for draw in self._open_draws():
            parsed = self._split(draw.text, self.begins_in_prompt)
            if parsed.state is GenerationState.THINKING_UNCLOSED:
                unclosed += 1
                cut += draw.is_truncated
            if parsed.end_token:
                ends[parsed.end_token] += 1
            if (parsed.answer, parsed.state) != (draw.answer, draw.state):
                changes.append(replace(draw, answer=parsed.answer, state=parsed.state))
        self._run.read_answers_anew(changes)
        names = tuple(name for name in families() if name in holds)
        total = sum(holds.values())
        reason = f"{total:,} answer{'s hold' if total > 1 else ' holds'} such markers" if holds else ""
        choice = ThinkingChoice(names, reason)
        warnings = [*self._warnings(unclosed, cut), *_ends_told(ends)]
        facts = ThinkingFacts(names, reason, self.begins_in_prompt, tuple(warnings))
        if facts != self._run.thinking:
            self._run.thinking = facts
        lines = (*([choice.line] if holds else []), *warnings)
        self._settled = Settlement(tuple(dict.fromkeys(x.question_id for x in changes)), lines)
        return self._settled

    def _open_draws(self) -> Iterator[Generation]:
        """Yield the draws whose answer is read from their text."""
        for draw in self._run.raw_draws():
            if draw.state is not GenerationState.ERROR and (draw.question_id, draw.sample_index) not in self._given:
                yield draw

    def _given_answers(self) -> set[tuple[str, int]]:
        """Return the draws whose answer came with the file, and is not what is read of their text."""
        given = self._run.given_answers
        if given is None:
            # Version 0.1.0 did not note them: what it did not read itself was given.
            given = {}
            for draw in self._run.raw_draws():
                parsed = split_at(draw.text, self._prompting.think_open, self._prompting.think_close)
                if (draw.answer, draw.state) != (parsed.answer, parsed.state):
                    given.setdefault(draw.question_id, []).append(draw.sample_index)
            self._run.given_answers = given
        return {(question_id, index) for question_id, indexes in given.items() for index in indexes}

    def _split(self, text: str, starts_in_thinking: bool) -> ParsedAnswer:
        # Nothing was written: neither thoughts nor an answer.
        return split_thinking(text, self._prompting, starts_in_thinking and bool(text.strip()), self._names)

    def _count(self, parsed: ParsedAnswer, draw: Generation) -> None:
        if not draw.is_truncated and draw.text.strip():
            self._finished += 1
            self._unopened += parsed.closes_unopened

    def _opens_in_prompt(self) -> bool:
        return self._unopened >= _LEAST and 2 * self._unopened >= self._finished

    def _warnings(self, unclosed: int, cut: int) -> list[str]:
        if not self._unopened:
            return []
        found = f"{self._unopened:,} of {self._finished:,} finished answers close thinking that they never opened"
        if self.begins_in_prompt:
            others = f"the {unclosed:,} that never close it are no answers" if unclosed != 1 else "1 never closes it"
            more = "; start again with more `--max-tokens`" if cut and self._is_served else ""
            return [f"{found}: it began in the prompt, and {others}{more}"]
        return [f"{found}: each is split there, and the others are taken as they are"]


def _ends_told(ends: Counter[str]) -> list[str]:
    """Say which control tokens were left at the end of texts."""
    if not ends:
        return []
    total = sum(ends.values())
    shown = listed([token for token, _ in ends.most_common(3)])
    return [f"{total:,} text{'s end' if total > 1 else ' ends'} with a control token, {shown}, left out of the answer"]


def _prompting(parameters: Mapping[str, Any]) -> Prompting:
    """Return the markers of a run; the default ones where nobody named any."""
    stored = parameters.get("prompting")
    if stored is not None:
        return Prompting(**stored)
    markers = parameters.get("think_markers")
    return Prompting() if markers is None else Prompting(think_open=markers[0], think_close=markers[1])
