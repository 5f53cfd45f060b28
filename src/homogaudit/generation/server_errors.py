"""How one request to a server can fail: for good, for now, or because the server is gone."""

from dataclasses import KW_ONLY, dataclass

from homogaudit.errors import EngineError


@dataclass(eq=False, repr=False)
class RefusedError(Exception):
    """The server will never answer this request.

    Attributes:
        reason: On one line, for people.
        whole: All that it says, for whoever looks for the name of a parameter in it.
    """

    status: int
    reason: str
    whole: str = ""

    def __post_init__(self) -> None:
        self.whole = self.whole or self.reason


@dataclass(eq=False, repr=False)
class UnreachableError(Exception):
    """The server is gone, or fails again and again.

    Attributes:
        error: Says so to the user.
        wait: Seconds that the server asks to be left alone.
        status: Of its last answer; `None` where it gave none.
    """

    error: EngineError
    wait: float = 0.0
    _: KW_ONLY
    status: int | None = None
    is_connected: bool = True


@dataclass(eq=False, repr=False)
class TransientError(Exception):
    """The same request may succeed later; without a status there was no answer of any kind."""

    reason: str
    wait: float | None = None
    _: KW_ONLY
    status: int | None = None
    is_connected: bool = True
