"""What MODEL and QUESTIONS mean before anything is loaded: a sample by its name, and two that stand in the wrong order.

Looks at names and at the beginning of files; contacts and loads nothing.
"""

import os
from pathlib import Path

from homogaudit.config import ModelsFile, resource
from homogaudit.config.trust import is_url
from homogaudit.errors import UsageError

_GGUF = b"GGUF"
_RUN_FILE = b"SQLi"
_FOLDER = "samples/"
_QUESTION_SUFFIXES = frozenset(
    ".jsonl .ndjson .json .csv .tsv .txt .yaml .yml .parquet .arrow .feather .xlsx .gz .zst".split()
)


def packaged_questions() -> list[str]:
    """Return the packaged question files by name."""
    folder = resource("samples")
    return sorted(path.stem for path in folder.glob("*.jsonl") if path.stem != "answer_pairs")


def question_source(text: str | None) -> str | None:
    """Return what QUESTIONS means: a packaged sample by name, else a path or `-`; `None` for the default.

    A file of the same name goes before a sample; a folder does not, which holds no questions by itself.
    """
    text = (text or "").strip()
    if not text:
        return None
    path = Path(text)
    if (packaged := _packaged(text)) is not None and (path.is_dir() or not path.exists()):
        return str(resource("samples") / f"{packaged}.jsonl")
    return os.path.expanduser(text)


def _packaged(text: str) -> str | None:
    """Return the sample that a name means, as lists or the documentation write it; `None` for no sample."""
    name = text.removeprefix(_FOLDER).removesuffix(".jsonl")
    return name if name in packaged_questions() else None


def check_order(model: str, questions: str | None, models: ModelsFile) -> None:
    """Check that MODEL is not a question file and QUESTIONS not a model.

    Raises:
        UsageError: They stand in the wrong order, or one stands in the other's place.
    """
    is_known = model in models.generators
    path = Path(model)
    if not is_known and path.is_file() and _head(path) == _RUN_FILE:
        raise UsageError(
            f"`{model}` is a run file or another database, not a model",
            f"`homogaudit report {model}` shows a run, `homogaudit tui --run {model}` opens it",
        )
    is_model = is_known or path.is_file() or (path / "config.json").is_file()
    if (not is_known and _is_question_file(model)) or (not is_model and _packaged(model) is not None):
        other = questions if questions is not None and _is_model(questions, models) else "demo"
        raise UsageError(f"`{model}` is a question file, not a model", f"`homogaudit run {other} {model}`")
    if questions is not None and _is_model(questions, models):
        raise UsageError(
            f"`{questions}` is a model, not a question file",
            "name a question file after the model; without one a packaged sample is asked",
        )


def _is_question_file(text: str) -> bool:
    path = Path(text)
    # One that is not there is no model either: the Hub has none whose name ends like that.
    is_file = path.is_file() if path.exists() else ":" not in text
    return path.suffix.lower() in _QUESTION_SUFFIXES and is_file and _head(path) != _GGUF


def _is_model(text: str, models: ModelsFile) -> bool:
    path = Path(text).expanduser()
    if path.is_file():
        return _head(path) == _GGUF
    if path.exists():
        return (path / "config.json").is_file()
    is_named = text in models.generators and text not in packaged_questions()
    return is_named or is_url(text) or text.lower().endswith(".gguf")


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(len(_GGUF))
    except OSError:
        return b""
