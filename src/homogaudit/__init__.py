"""Audit a local language model for response homogenization.

The package root imports nothing heavy: `homogaudit --help` and `import homogaudit` load no model library. `Cascade` is
imported when it is asked for.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from homogaudit.cascade.policy import Cascade

__all__ = ["Cascade", "__version__"]

__version__ = "0.2.0.dev0"


def __getattr__(name: str) -> Any:
    if name == "Cascade":
        from homogaudit.cascade.policy import Cascade

        return Cascade
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
