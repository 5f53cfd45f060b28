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
