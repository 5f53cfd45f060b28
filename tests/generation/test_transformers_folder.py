import json
from pathlib import Path

import pytest

from homogaudit.errors import ModelError
from homogaudit.generation.transformers_folder import check_folder, find_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.json").write_text("{}")
    return tmp_path


def test_a_folder_without_weights_is_told(folder: Path) -> None:
    with pytest.raises(ModelError, match="holds no weights"):
        check_folder(folder)


def test_a_folder_without_a_configuration_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no Hugging Face model"):
        check_folder(tmp_path)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "consolidated.00.pth", "model.pt", "model.ckpt"])
def test_pickled_weights_alone_are_refused_with_a_way_out(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"\x80\x04.")
    with pytest.raises(ModelError, match="pickled") as caught:
        check_folder(folder)
    assert "safetensors" in (caught.value.hint or "")


def test_pickled_weights_beside_safetensors_are_no_matter(folder: Path) -> None:
    (folder / "pytorch_model.bin").write_bytes(b"")
    (folder / "model.safetensors").write_bytes(b"")
    check_folder(folder)


def test_a_missing_part_of_the_weights_is_named(folder: Path) -> None:
    parts = [f"model-0000{number}-of-00002.safetensors" for number in (1, 2)]
    index = {"weight_map": {"a": parts[0], "b": parts[1]}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    (folder / parts[0]).write_bytes(b"")
    with pytest.raises(ModelError, match=parts[1]):
        check_folder(folder)
    (folder / parts[1]).write_bytes(b"")
    check_folder(folder)


@pytest.mark.parametrize("text", ["[]", "{", "{}", '{"weight_map": 3}'])
def test_a_broken_index_is_told(folder: Path, text: str) -> None:
    index = folder / "model.safetensors.index.json"
    index.write_text(text)
    with pytest.raises(ModelError, match="cannot read"):
        check_folder(folder)


def test_a_hub_id_while_offline_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    told: list[str] = []
    with pytest.raises(ModelError, match="`nobody/nothing` is not downloaded") as caught:
        find_folder("nobody/nothing", told.append)
    assert told == []
    assert "hf download nobody/nothing" in (caught.value.hint or "")


def test_a_hub_that_cannot_be_reached_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    def fail(*_: object, **__: object) -> str:
        raise ConnectionError("no route to host\nand more")

    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    with pytest.raises(ModelError) as caught:
        find_folder("nobody/nothing")
    assert caught.value.message.endswith("the Hub does not give it: no route to host")


def test_a_downloaded_hub_id_needs_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    snapshot = tmp_path / "models--some--model" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    for name in ("config.json", "model.safetensors"):
        (snapshot / name).write_text("{}")
    assert find_folder("some/model") == snapshot
