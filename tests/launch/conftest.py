import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from homogaudit.launch.requests import RunRequest


@pytest.fixture
def request_of(questions: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., RunRequest]:
    """Return a maker of requests for the packaged model and as many questions as a test file's `questions` says."""
    monkeypatch.setenv("HOMOGAUDIT_RUNS", str(tmp_path / "runs"))
    file = tmp_path / "questions.jsonl"
    rows = ({"id": f"q{x}", "question": f"What is {x}?"} for x in range(questions))
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))

    def make(**asked: Any) -> RunRequest:
        return RunRequest(model="demo", questions=str(file), use_embedder=False, **asked)

    return make
