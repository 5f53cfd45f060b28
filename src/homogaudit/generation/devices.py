"""The devices that are compiled into llama.cpp, through ggml's C interface, which llama-cpp-python does not bind."""

import contextlib
import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class LlamaDevice:
    """One ggml backend device.

    Attributes:
        name: What llama.cpp calls it, `unknown` where it does not say.
        description: The hardware's name, `unknown` where the backend does not say.
        kind: `cpu`, `gpu`, `igpu`, `accelerator` or `unknown`.
        memory_free: Bytes; `None` where the backend does not say.
        memory_total: Bytes; `None` where the backend does not say.
    """

    name: str
    description: str
    kind: str
    memory_free: int | None
    memory_total: int | None

    @property
    def is_gpu(self) -> bool:
        """Whether layers can be offloaded to it."""
        return self.kind in ("gpu", "igpu")


_KINDS = ("cpu", "gpu", "igpu", "accelerator")
"""`enum ggml_backend_dev_type` in ggml-backend.h."""


def llama_devices() -> list[LlamaDevice]:
    """Return the devices that this build of llama.cpp sees; empty where it cannot list them.

    What it cannot tell of a device is `unknown` or `None`.

    Raises:
        ImportError: llama-cpp-python is missing; a broken one raises what its import raises.
    """
    import llama_cpp

    llama_cpp.llama_backend_init()
    try:
        # llama-cpp-python binds no ggml_backend function, but loads the library that has them.
        from llama_cpp._ggml import libggml

        return _listed(libggml)
    except (ImportError, AttributeError, OSError):
        return []


def _listed(library: ctypes.CDLL) -> list[LlamaDevice]:
    """Read the device list of ggml-backend.h."""
    count = _function(library, "ggml_backend_dev_count", ctypes.c_size_t)
    get = _function(library, "ggml_backend_dev_get", ctypes.c_void_p, ctypes.c_size_t)
    return [_device(library, ctypes.c_void_p(get(index))) for index in range(count())]


def _function(library: ctypes.CDLL, name: str, result: type[Any] | None, *arguments: type[Any]) -> Callable[..., Any]:
    """Return a function of `library` with its own signature, apart from what others set on the same symbol."""
    return ctypes.CFUNCTYPE(result, *arguments)((name, library))


def _device(library: ctypes.CDLL, handle: ctypes.c_void_p) -> LlamaDevice:
    """Read one device; a part that this build of ggml cannot tell stays unknown."""

    def text(name: str) -> str:
        try:
            answer = _function(library, name, ctypes.c_char_p, ctypes.c_void_p)(handle)
        except AttributeError:
            return "unknown"
        return answer.decode("utf-8", "replace").strip() if answer else "unknown"

    try:
        number = _function(library, "ggml_backend_dev_type", ctypes.c_int, ctypes.c_void_p)(handle)
        kind = _KINDS[number] if 0 <= number < len(_KINDS) else "unknown"
    except AttributeError:
        kind = "unknown"
    free, total = ctypes.c_size_t(), ctypes.c_size_t()
    size = ctypes.POINTER(ctypes.c_size_t)
    with contextlib.suppress(AttributeError):
        read = _function(library, "ggml_backend_dev_memory", None, ctypes.c_void_p, size, size)
        read(handle, ctypes.byref(free), ctypes.byref(total))
    # ggml writes 0 where a backend does not know.
    return LlamaDevice(
        name=text("ggml_backend_dev_name"),
        description=text("ggml_backend_dev_description"),
        kind=kind,
        memory_free=free.value if total.value else None,
        memory_total=total.value or None,
    )
