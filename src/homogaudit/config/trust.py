"""What the user of a command has named, and what only a file says that came from somewhere else.

A run file that somebody sends, and a `models.toml` that lies in the working folder, can hold the URL of any server, and
the latter the name of any module. Neither is followed before the user agrees, and no key goes to a server that the user
has not named. Contacts nobody.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from homogaudit.config.sources import SourceKind, parse_source
from homogaudit.errors import UsageError

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class ForeignSource:
    """Something to be contacted or executed because a file says so that the user did not name.

    Attributes:
        what: For example ``model `demo` ``.
        location: URLs of servers, or `package:MODULE:FUNCTION`.
    """

    what: str
    location: str
    file: Path

    @property
    def text(self) -> str:
        """One line for people."""
        does = "is on the server" if is_url(self.location) else "runs the function"
        return f"{self.what} {does} `{self.location.removeprefix('package:')}`, according to `{self.file}`"


Consent = Callable[[ForeignSource], None]
"""Returns where the user agrees, raises `UsageError` where not."""


def refuse(source: ForeignSource) -> None:
    """Agree to nothing: the consent of a command that cannot ask.

    Raises:
        UsageError: Always.
    """
    raise UsageError(f"{source.text}, which you did not name", hint_to_name(source))


def hint_to_name(source: ForeignSource) -> str:
    """Return how the user says that a source is meant."""
    if source.file.suffix == ".toml":
        return f"if you know it, name the file: `--models {source.file}`, or HOMOGAUDIT_MODELS in the environment"
    return "if you know it, name the server in this command or in your own models.toml"


def is_url(location: str) -> bool:
    """Whether a location is that of a server, as whoever connects to it reads it."""
    return location.lstrip().lower().startswith(("http://", "https://"))


def origin(url: str) -> str:
    """Return scheme, host and port of a URL: what tells one server from another.

    Raises:
        ValueError: It is no URL.
    """
    parts = urlsplit(url.strip())
    return f"{parts.scheme}://{parts.hostname}:{parts.port or _PORTS.get(parts.scheme)}"


def origins(location: str) -> frozenset[str]:
    """Return the servers of `URL[#MODEL][,URL[#MODEL]...]`; none of what is no URL.

    A part that cannot be read stands for itself: others may read it, and it is nothing that the user has named.
    """
    found: set[str] = set()
    for part in location.split(",") if is_url(location) else ():
        try:
            found.add(origin(part))
        except ValueError:
            found.add(part.strip())
    return frozenset(found)


class Trust:
    """Which servers the user of one command has named, and what was agreed to beside them.

    Args:
        named: Locations that the user has named already, such as those of their own configuration.
        consent: Asks the user about everything else.
        tell: Told which file a model is from that only lies in the working folder.

    Attributes:
        is_refused: Whether the last question was answered with no.
    """

    def __init__(
        self, named: Iterable[str] = (), consent: Consent = refuse, tell: Callable[[str], None] = lambda _: None
    ) -> None:
        self._origins = {server for location in named for server in origins(location)}
        self._consent = consent
        self._tell = tell
        self._agreed: set[tuple[str, Path]] = set()
        self.is_refused = False

    @property
    def key_origins(self) -> tuple[str, ...]:
        """The servers that may be told the user's key."""
        return tuple(sorted(self._origins))

    def name(self, location: str) -> None:
        """Note that the user has named a location."""
        self._origins |= origins(location)

    def tell_of(self, what: str, location: str, file: Path) -> None:
        """Say once that a model on this machine, or on the hub, is the one of a file that the user has not named."""
        if (location, file) not in self._agreed:
            self._agreed.add((location, file))
            self._tell(f"{what} is `{location}`, according to `{file}`")

    def admit(self, what: str, location: str, file: Path) -> None:
        """Let a location be used that only a file names; asks once.

        Raises:
            UsageError: The user does not agree.
        """
        servers = origins(location)
        if (servers and servers <= self._origins) or (location, file) in self._agreed:
            return
        self.is_refused = True
        self._consent(ForeignSource(what, location, file))
        self.is_refused = False
        self._agreed.add((location, file))

    def admit_server(self, what: str, location: str, file: Path) -> None:
        """Let a server be used that only a file names, whatever else may be written in the place of its URL.

        Raises:
            UsageError: The user does not agree, or it is no URL that a user could name.
        """
        source = parse_source(location, Path())
        if source.kind is not SourceKind.SERVER:
            raise UsageError(f"{what} is on the server `{location}`, according to `{file}`, and that is not a URL")
        self.admit(what, source.value, file)
