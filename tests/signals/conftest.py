"""What the tests of several signals share: draws with token statistics, and golden values of lm-polygraph."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from homogaudit.records import GREEDY, Generation, GenerationState, Question, SampleSet, TokenStatistics


@pytest.fixture(scope="session")
def lm_polygraph() -> list[dict[str, Any]]:
    """Inputs, and what lm-polygraph 0.7.0's own estimators return for them."""
    text = (Path(__file__).parent / "golden" / "lm_polygraph.json").read_text(encoding="utf-8")
    return json.loads(text)["cases"]


@pytest.fixture
def draws() -> Callable[..., SampleSet]:
    """Return a function that makes the draws of one question, each with arrays of its tokens."""

    def make(
        *,
        greedy_logprobs: Sequence[float] | None = None,
        logprobs: Sequence[Sequence[float]] = (),
        logits: Sequence[Sequence[float]] = (),
        samples: int = 0,
        greedy: bool = True,
    ) -> SampleSet:
        def array(values: Sequence[float] | None) -> Any:
            return None if values is None else np.asarray(values, dtype=np.float32)

        def draw(index: int) -> Generation:
            if index == GREEDY:
                statistics = TokenStatistics(logprobs=array(greedy_logprobs))
            else:
                statistics = TokenStatistics(
                    logprobs=array(logprobs[index] if logprobs else None),
                    logits=array(logits[index] if logits else None),
                )
            return Generation("q", index, "text", "text", GenerationState.VALID, statistics=statistics)

        count = max(samples, len(logprobs), len(logits))
        return SampleSet(Question("q", "Why?"), draw(GREEDY) if greedy else None, [draw(i) for i in range(count)])

    return make
