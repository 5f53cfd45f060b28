"""How one request to a server can fail: for good, for now, or because the server is gone."""

from homogaudit.errors import EngineError

__all__ = ["RefusedError", "TransientError", "UnreachableError"]


class RefusedError(Exception):
    """The server will never answer this request.

    Attributes:
        status: Of HTTP.
        reason: On one line, for people.
        whole: All that it says, for whoever looks for the name of a parameter in it.
    """

    def __init__(self, status: int, reason: str, whole: str = "") -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.whole = whole or reason


class UnreachableError(Exception):
    """The server is gone, or fails again and again.

    Attributes:
        error: Says so to the user.
        wait: Seconds that the server asks to be left alone.
        status: Of its last answer; `None` where it gave none.
        is_connected: Whether a connection was made.
    """

    def __init__(
        self, error: EngineError, wait: float = 0.0, *, status: int | None = None, is_connected: bool = True
    ) -> None:
        super().__init__(error.message)
        self.error = error
        self.wait = wait
        self.status = status
        self.is_connected = is_connected


class TransientError(Exception):
    """The same request may succeed later."""

    def __init__(
        self,
        reason: str,
        wait: float | None = None,
        *,
        status: int | None = None,
        is_connected: bool = True,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.wait = wait
        self.status = status
        self.is_connected = is_connected

    @property
    def is_unreachable(self) -> bool:
        """Whether there was no answer of any kind."""
        return self.status is None

    @property
    def is_loading(self) -> bool:
        """Whether the server only wants time for its model."""
        return self.status == 503 and "loading" in self.reason.casefold()
