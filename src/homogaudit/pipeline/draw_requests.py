"""The draws of all questions of a run, as many as they are."""

from collections.abc import Mapping, Sequence
from typing import overload

from homogaudit.generation.generator import DrawRequest, Generator
from homogaudit.records import Question

__all__ = ["LazyRequests"]


class LazyRequests(Sequence[DrawRequest]):
    """The draws of every question; a prompt is rendered when its turn comes, not for all questions at once."""

    def __init__(
        self, questions: Sequence[Question], generator: Generator, missing: Mapping[str, tuple[int, ...]]
    ) -> None:
        self._questions = questions
        self._generator = generator
        self._missing = missing

    def __len__(self) -> int:
        return len(self._questions)

    @overload
    def __getitem__(self, index: int) -> DrawRequest: ...
    @overload
    def __getitem__(self, index: slice) -> list[DrawRequest]: ...
    def __getitem__(self, index: int | slice) -> DrawRequest | list[DrawRequest]:
        if isinstance(index, slice):
            return [self[place] for place in range(len(self))[index]]
        question = self._questions[index]
        prompt = self._generator.prompt(question.asked, question.system)
        return DrawRequest(question.id, prompt, self._missing.get(question.id, ()))
