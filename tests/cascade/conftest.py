"""What the cascade's tests share: the recorded answers of Qwen3-14B and signals of a known AUROC."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest


@dataclass(frozen=True)
class Recorded:
    """Oriented signals of the labelled questions."""

    token_entropy_mean: np.ndarray
    density: np.ndarray
    association: np.ndarray
    incorrect: np.ndarray
    questions: list[str]
    answers: list[str]
    entropies: list[np.ndarray]


@pytest.fixture(scope="session")
def expected_cascade(reference: Path) -> dict[str, Any]:
    return json.loads((reference / "expected.json").read_text(encoding="utf-8"))["cascade"]


@pytest.fixture(scope="session")
def recorded(reference: Path) -> Recorded:
    lines = (reference / "qwen3-14b.greedy.jsonl").read_text(encoding="utf-8").splitlines()[1:]
    records = [record for record in map(json.loads, lines) if record["label"] in ("correct", "incorrect")]
    entropies = [np.array(record["greedy"]["token_entropies"]) for record in records]
    return Recorded(
        token_entropy_mean=np.array([values.mean() for values in entropies]),
        # The header says that lower is more uncertain.
        density=np.array([-record["signals"]["density"] for record in records]),
        association=np.array([record["signals"].get("association", np.nan) for record in records]),
        incorrect=np.array([record["label"] == "incorrect" for record in records]),
        questions=[record["question"] for record in records],
        answers=[record["greedy"]["text"] for record in records],
        entropies=entropies,
    )


@pytest.fixture(scope="session")
def draw_signals() -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    """Return a function that draws independent signals of given AUROCs, and labels."""

    def draw(aurocs: tuple[float, ...], n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        generator = np.random.default_rng(seed)
        incorrect = generator.random(n) < 0.5
        # Two unit normals a distance d apart have the AUROC Phi(d / sqrt 2).
        distances = np.array([np.sqrt(2) * NormalDist().inv_cdf(value) for value in aurocs])
        return generator.normal(size=(len(aurocs), n)) + distances[:, None] * incorrect, incorrect

    return draw
