import contextlib
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from homogaudit.cli.app import run_app
from homogaudit.protocols.running import Outcome


class Commands:
    """Runs commands in this process and remembers them."""

    def __init__(self) -> None:
        self.given: list[tuple[str, ...]] = []

    def __call__(self, arguments: Sequence[str]) -> Outcome:
        self.given.append(tuple(arguments))
        with contextlib.redirect_stdout(io.StringIO()) as printed, contextlib.redirect_stderr(io.StringIO()):
            code = run_app(list(arguments))
        return Outcome(code, printed.getvalue())


@pytest.fixture
def commands() -> Commands:
    return Commands()


@pytest.fixture
def record(tmp_path: Path) -> Callable[..., Path]:
    """Write recorded answers: entropies that are higher where the answer is wrong, questions of three categories."""

    def write(name: str, questions: int = 60, seed: int = 0, **given: Any) -> Path:
        rng = np.random.default_rng(seed)
        path = tmp_path / name
        with path.open("w", encoding="utf-8") as stream:
            for number in range(questions):
                wrong = number % 2 == 0
                row = {
                    "id": str(number),
                    "question": f"Is number {number} even?",
                    "category": "abc"[number % 3],
                    "greedy": {
                        "text": f"{'no' if wrong else 'yes'}, it is {number}",
                        "token_entropies": rng.gamma(2, 0.3 + 0.2 * wrong, size=6).round(4).tolist(),
                    },
                    "label": "incorrect" if wrong else "correct",
                }
                row |= {key: value(number) if callable(value) else value for key, value in given.items()}
                stream.write(json.dumps(row) + "\n")
        return path

    return write
