"""The key of a server: it comes from the environment, goes to servers that the user has named, and is never shown."""

import base64
import hashlib
import html
import os
import re
from collections.abc import Collection
from urllib.parse import urlsplit

from homogaudit.config.trust import origins
from homogaudit.errors import ConfigError

KEY_VARIABLES = ("HOMOGAUDIT_API_KEY", "OPENAI_API_KEY")
"""Where the key is looked for, in this order."""

_LEAST_OF_KEY = 16
"""Characters of a key that no answer holds by chance."""

_PLAIN_HOST = re.compile(r"[a-z0-9.:-]*", re.ASCII)


def api_key(url: str, key_origins: Collection[str] | None = None) -> str | None:
    """Return the key for a server in the environment, `None` where there is none.

    A key of the server's own, such as `HOMOGAUDIT_API_KEY_API_EXAMPLE_COM`, goes before the common ones: an audited
    server, a judge and an embedder may be of three providers, and no key is to be told to another one.

    Args:
        url: Of the server.
        key_origins: The servers that the user has named, see `homogaudit.config.trust.origin`; another one is told no
            common key. `None` where the caller is who names the server.

    Raises:
        ConfigError: The key holds what no header can.
    """
    names = [own_key_variable(url)]
    servers = origins(url)
    if key_origins is None or (servers and servers <= set(key_origins)):
        # Any mark of a host name was one underscore, which also stands for a dot: good only for a named server.
        names += [f"{KEY_VARIABLES[0]}_{_marks_as_one(_host(url))}", *KEY_VARIABLES]
    return next((key for name in names if (key := _key_of(name))), None)


def own_key_variable(url: str) -> str:
    """Return the variable of a server's own key: no two hosts have the same.

    Characters outside the usual ones of host names get a digest behind them: capitals and underscores would make
    another host of them, as of the dotless i in a name that is made to look like a known one.
    """
    host = _host(url)
    name = f"{KEY_VARIABLES[0]}_{_marks_as_one(host.replace('-', '--'))}"
    if _PLAIN_HOST.fullmatch(host):
        return name
    return f"{name}_{hashlib.sha256(host.encode('utf-8', 'surrogatepass')).hexdigest()[:8].upper()}"


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        # What no URL can be has no key.
        return url


def _marks_as_one(host: str) -> str:
    return re.sub("[^A-Z0-9]", "_", host.upper())


def _key_of(name: str) -> str:
    """Return the key in a variable, empty for none; a line end that came along from a file is no part of it."""
    key = os.environ.get(name, "").strip()
    if not (key.isascii() and key.isprintable()):
        hint = "set it again, without quotes, line ends and other characters that are not ASCII"
        raise ConfigError(f"`{name}` holds a character that no key can have", hint)
    return key


def key_headers(key: str, url: str) -> dict[str, str]:
    """Return the headers that hold the key; Azure, whose URLs alone have a query, has a name of its own for it."""
    headers = {"Authorization": f"Bearer {key}"}
    return headers | {"api-key": key} if urlsplit(url).query else headers


class KeyScrubber:
    """Takes a key out of texts, in every form in which a message or an answer may hold it.

    Those are the key with any of its characters as it is, escaped as in Python, JSON or HTML, or percent-encoded; in
    hexadecimal digits; and in base64, wherever in an encoded text it stands.
    """

    def __init__(self, key: str | None) -> None:
        key = key or ""
        self._is_short = len(key) < _LEAST_OF_KEY
        self._pattern = re.compile(re.escape(key) if self._is_short else _any_form(key)) if key else None

    def from_message(self, text: str) -> str:
        """Return a message with `***` for the key."""
        return self._pattern.sub("***", text) if self._pattern else text

    def from_answer(self, text: str) -> str:
        """Return an answer with `***` for the key; one so short that it means nothing may well be a word of it."""
        return text if self._is_short else self.from_message(text)


def _any_form(key: str) -> str:
    """Return the pattern of the ways in which a key may be written."""
    data = key.encode()
    forms = ["".join(map(_any_character, key)), f"(?i:{data.hex()})"]
    for before in range(3):
        coded = base64.b64encode(bytes(before) + data).decode().rstrip("=")
        # The first characters also hold what stands before the key, the last one what follows it.
        inner = re.escape(coded[-(-before * 8 // 6) : None if (before + len(data)) % 3 == 0 else -1])
        forms.append(inner.replace("/", "[/_]").replace(r"\+", r"[+\-]"))
    return "|".join(forms)


def _any_character(char: str) -> str:
    """Return the pattern of the ways in which a character may be written, a backslash before it among them."""
    code, named = f"{ord(char):02x}", html.escape(char)
    escapes = [
        rf"\\{{1,4}}(?:x|u00){code}",
        f"%{code}",
        f"&#0{{0,4}}{ord(char)};",
        f"&#x0{{0,4}}{code};",
        *([named] * (named != char)),
    ]
    return rf"(?:\\{{0,4}}{re.escape(char)}|(?i:{'|'.join(escapes)}))"
