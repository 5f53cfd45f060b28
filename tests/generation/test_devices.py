import ctypes

import pytest

from homogaudit.generation import devices as module
from homogaudit.generation.devices import LlamaDevice, llama_devices


def test_the_cpu_is_among_the_devices() -> None:
    devices = llama_devices()
    cpus = [device for device in devices if device.kind == "cpu"]
    assert cpus
    assert all(device.name and not device.is_gpu for device in cpus)
    assert {device.kind for device in devices} <= {"cpu", "gpu", "igpu", "accelerator", "unknown"}


def test_memory_is_in_bytes_and_free_is_part_of_total() -> None:
    for device in llama_devices():
        assert device.memory_total is None or device.memory_total > 1 << 20
        if device.memory_free is not None and device.memory_total is not None:
            assert 0 < device.memory_free <= device.memory_total


def test_integrated_gpus_are_gpus() -> None:
    assert [LlamaDevice("x", "", kind, None, None).is_gpu for kind in ("gpu", "igpu", "cpu", "accelerator")] == [
        True,
        True,
        False,
        False,
    ]


def test_a_library_without_the_device_functions_is_an_attribute_error_and_a_part_of_them_is_unknown() -> None:
    # The process itself stands for a library: it has malloc and no ggml.
    process = ctypes.CDLL(None)
    with pytest.raises(AttributeError):
        module._listed(process)
    assert module._device(process, ctypes.c_void_p(0)) == LlamaDevice("unknown", "unknown", "unknown", None, None)


def test_without_the_device_functions_no_device_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llama_cpp._ggml.libggml", ctypes.CDLL(None))
    assert llama_devices() == []
