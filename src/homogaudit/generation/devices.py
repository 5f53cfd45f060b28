"""The devices that are compiled into llama.cpp, through ggml's C interface, which llama-cpp-python does not bind."""

import ctypes
from dataclasses import dataclass

__all__ = ["LlamaDevice", "llama_devices"]


@dataclass(frozen=True, slots=True)
class LlamaDevice:
    """One ggml backend device.

    Attributes:
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
    """Return the devices that this build of llama.cpp sees; empty where they cannot be listed."""
    import llama_cpp
    from llama_cpp._ggml import libggml

    llama_cpp.llama_backend_init()
    try:
        count, get = libggml.ggml_backend_dev_count, libggml.ggml_backend_dev_get
        name, description = libggml.ggml_backend_dev_name, libggml.ggml_backend_dev_description
        kind, memory = libggml.ggml_backend_dev_type, libggml.ggml_backend_dev_memory
    except AttributeError:
        return []
    count.restype = ctypes.c_size_t
    get.argtypes, get.restype = [ctypes.c_size_t], ctypes.c_void_p
    for function in (name, description):
        function.argtypes, function.restype = [ctypes.c_void_p], ctypes.c_char_p
    kind.argtypes, kind.restype = [ctypes.c_void_p], ctypes.c_int
    size = ctypes.POINTER(ctypes.c_size_t)
    memory.argtypes, memory.restype = [ctypes.c_void_p, size, size], None
    devices: list[LlamaDevice] = []
    for index in range(count()):
        device = get(index)
        free, total = ctypes.c_size_t(), ctypes.c_size_t()
        memory(device, ctypes.byref(free), ctypes.byref(total))
        number = kind(device)
        devices.append(
            LlamaDevice(
                name=(name(device) or b"?").decode("utf-8", "replace"),
                description=(description(device) or b"").decode("utf-8", "replace").strip(),
                kind=_KINDS[number] if 0 <= number < len(_KINDS) else "unknown",
                memory_free=free.value or None,
                memory_total=total.value or None,
            )
        )
    return devices
