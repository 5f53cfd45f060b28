"""Audit a language model for response homogenization.

The public API: `audit` runs one, `open_run` opens one, `compare` compares several, `Cascade` decides single answers.
The package root imports nothing; each name is imported when it is asked for. With `python -m homogaudit` it is executed
while the working folder still stands before the standard library, see `__main__`.
"""

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any

    from homogaudit.api import Questions, Run, audit, compare, open_run
    from homogaudit.cascade.policy import Cascade
    from homogaudit.report.question_rows import QuestionRow

__all__ = ["Cascade", "QuestionRow", "Questions", "Run", "__version__", "audit", "compare", "open_run"]

__version__ = "0.2.0.dev0"

_MODULES = {
    "Cascade": "homogaudit.cascade.policy",
    "QuestionRow": "homogaudit.report.question_rows",
    "Questions": "homogaudit.api",
    "Run": "homogaudit.api",
    "audit": "homogaudit.api",
    "compare": "homogaudit.api",
    "open_run": "homogaudit.api",
}


def __getattr__(name: str) -> "Any":
    if name in _MODULES:
        from importlib import import_module

        return getattr(import_module(_MODULES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
