import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from homogaudit.config import (
    did_you_mean,
    how_to_get,
    is_present,
    load_models,
    load_settings,
    resolve_embedder,
    resolve_generator,
    resource,
)
from homogaudit.config.machine import machine_memory, physical_cores
from homogaudit.config.models_file import SETTING_KEYS
from homogaudit.errors import ConfigError, ModelError, UsageError


@pytest.fixture(autouse=True)
def empty_working_folder(tmp_path, monkeypatch):
    for name in ("models", *SETTING_KEYS):
        monkeypatch.delenv(f"HOMOGAUDIT_{name.upper()}", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "configuration"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def models_with(text: str):
    Path("models.toml").write_text(text, encoding="utf-8")
    return load_models(Path("models.toml"))


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An installed package with a model file, and a function that returns its path."""
    folder = tmp_path / "site" / "little_model"
    folder.mkdir(parents=True)
    (folder / "tiny.gguf").write_bytes(b"GGUF")
    (folder / "__init__.py").write_text(
        "import pathlib\n"
        "def assemble():\n    return pathlib.Path(__file__).with_name('tiny.gguf')\n"
        "def fail():\n    raise OSError('no room\\nleft')\n"
    )
    monkeypatch.syspath_prepend(str(folder.parent))
    yield folder
    sys.modules.pop("little_model", None)


def test_the_packaged_file_is_valid_and_names_demo():
    models = load_models()
    assert models.generators["demo"].stage == "instruct"
    assert models.embedders["all-minilm-l6-v2"].source.startswith("package:")
    assert models.files == (resource("models.toml"),)


def test_every_instruct_family_of_the_packaged_file_has_a_base_model():
    entries = load_models().generators.values()
    families = {entry.family for entry in entries if entry.stage == "instruct"}
    assert families == {entry.family for entry in entries if entry.stage == "base"}


def test_olmo_has_all_four_stages():
    stages = {entry.stage for entry in load_models().generators.values() if entry.family == "olmo2"}
    assert stages == {"base", "sft", "dpo", "instruct"}


def test_config_imports_no_heavy_library():
    code = (
        "import sys, homogaudit.config\n"
        "heavy = {'numpy', 'torch', 'transformers', 'llama_cpp', 'scipy', 'rich', 'huggingface_hub', 'platformdirs'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    path = str(Path(resource("models.toml")).parent / "src")
    done = subprocess.run([sys.executable, "-c", f"import sys; sys.path.insert(0, {path!r})\n{code}"], check=False)
    assert done.returncode == 0


def test_a_file_in_the_working_folder_lies_over_the_packaged_one_key_by_key():
    packaged = load_models().generators["demo"]
    models = models_with('[generators.demo]\ntraining_cutoff = 2024-06-30\n[generators.mine]\nsource = "mine.gguf"\n')
    demo = models.generators["demo"]
    assert demo.training_cutoff == date(2024, 6, 30)
    assert (demo.source, demo.stage, demo.context_length) == (
        packaged.source,
        packaged.stage,
        packaged.context_length,
    )
    assert demo.origin == Path("models.toml")
    assert "gemma3-270m-base" in models.generators


def test_a_relative_source_counts_from_its_own_file(tmp_path):
    other = tmp_path / "elsewhere"
    other.mkdir()
    (other / "m.toml").write_text('[generators.mine]\nsource = "weights/mine.gguf"\n')
    assert load_models(other / "m.toml").generators["mine"].source == str(other / "weights" / "mine.gguf")


def test_the_flag_goes_before_the_environment_and_both_before_the_working_folder(tmp_path, monkeypatch):
    for name in ("flag", "environment"):
        (tmp_path / f"{name}.toml").write_text(f'[generators.demo]\nfamily = "{name}"\n')
    Path("models.toml").write_text('[generators.demo]\nfamily = "folder"\n')
    assert load_models().generators["demo"].family == "folder"
    monkeypatch.setenv("HOMOGAUDIT_MODELS", str(tmp_path / "environment.toml"))
    assert load_models().generators["demo"].family == "environment"
    assert load_models(tmp_path / "flag.toml").generators["demo"].family == "flag"


def test_the_packaged_file_itself_is_not_laid_over_itself(monkeypatch):
    monkeypatch.chdir(resource("models.toml").parent)
    assert len(load_models().files) == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[generators.demo]\nfamly = "x"', ["models.toml", "`demo`", "`famly`", "`family`"]),
        ('[generators.demo]\nmode = "chta"', ["`demo`", "`mode`", "`chta`", "did you mean `chat`"]),
        ('[generators.demo]\nstage = "instrct"', ["`stage`", "did you mean `instruct`"]),
        ("[generators.demo]\ncontext_length = true", ["`context_length`", "whole number"]),
        ("[generators.demo]\ncontext_length = 0", ["`context_length`", "`0`"]),
        ('[generators.demo]\ntraining_cutoff = "2024"', ["`training_cutoff`", "date"]),
        ("[generators.demo]\ntraining_cutoff = 2024-01-01T00:00:00", ["`training_cutoff`", "date"]),
        ("[generators.demo]\nprice_per_million_tokens = -1", ["`price_per_million_tokens`", "negative"]),
        ("[generators.demo]\nprice_per_million_tokens = nan", ["`price_per_million_tokens`"]),
        ("[generators.demo]\nsource = 3", ["`source`", "string"]),
        ('[generators.demo]\ndescription = "a\\u001b[31mb"', ["`description`", "control"]),
        ('[generators.demo]\nsource = "hff:a/b"', ["`source`", "`hff:`", "`hf`"]),
        ('[generators.demo]\nsource = "hf:one"', ["`source`", "hf:ORG/NAME"]),
        ('[generators.demo]\nsource = "package:a.b"', ["`source`", "package:MODULE"]),
        ('[generators.demo]\nsource = "package:a/../../b"', ["`source`", "out of its package"]),
        ('[generators.new]\nstage = "base"', ["`new`", "no `source`"]),
        ('[generators."a/b"]\nsource = "x"', ["'a/b'", "letters"]),
        ('[generator.demo]\nstage = "base"', ["`generator`", "`generators`"]),
        ("generators = 3", ["`[generators]`", "table"]),
        ("[generators]\ndemo = 3", ["`demo`", "table"]),
        ('[embedders.e5-small-v2]\nsizemb = "x"', ["embedder `e5-small-v2`", "`size_mb`"]),
        ("[settings]\nslots = 257", ["`[settings]`", "`slots`", "256"]),
        ("[settings]\nslots = 0x" + "f" * 5000, ["`slots`", "many digits"]),
        ("[settings]\nslots = " + "9" * 5000, ["models.toml", "too many digits"]),
        ("[settings]\nthreads = 513", ["`threads`", "512", "`513`"]),
        ("[generators.demo]\nprice_per_million_tokens = 0x" + "f" * 400, ["`price_per_million_tokens`", "large"]),
        (f'[generators.demo]\ndescription = "{"a" * 1_000_000}"', ["`description`", "at most"]),
        (f'[generators.demo]\nmode = "{"a" * 1_000_000}"', ["`mode`", "at most"]),
        (f'[generators.demo]\n{"a" * 1_000_000} = "x"', ["unknown key `aaaa", "…`"]),
        (f"{'a' * 1_000_000} = 1", ["unknown table `aaaa", "…`"]),
        (f'[generators.{"a" * 1_000_000}]\nsource = "x"', ["generator name", "aaaa"]),
        ("x = " + "[" * 5000, ["models.toml", "nested too deeply"]),
        ("x = " + "{a=" * 5000, ["models.toml", "nested too deeply"]),
        ("generators." + ".".join(["a"] * 5000) + " = 1", ["generator `a`", "unknown key `a`"]),
        ("[settings]\nthread = 2", ["`thread`", "`threads`"]),
        ("[generators.demo]\nmode = ", ["models.toml", "line 2"]),
        ("[generators.demo]\n[generators.demo]", ["models.toml", "line 2"]),
    ],
)
def test_a_broken_file_is_named_with_its_entry_key_and_the_nearest_valid_one(text, words):
    with pytest.raises(ConfigError) as caught:
        models_with(text)
    assert "\n" not in caught.value.message
    assert "\x1b" not in caught.value.message
    assert len(caught.value.message) < 500
    said = f"{caught.value.message} {caught.value.hint}"
    assert [word for word in words if word not in said] == []


def test_a_missing_models_file_and_one_that_is_no_text_are_configuration_errors(tmp_path):
    with pytest.raises(ConfigError, match="cannot read"):
        load_models(tmp_path / "none.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_models(tmp_path / "bytes.toml")


def test_a_byte_order_mark_is_no_error():
    Path("models.toml").write_bytes(b'\xef\xbb\xbf[generators.demo]\r\nfamily = "x"\r\n')
    assert load_models().generators["demo"].family == "x"


def test_a_gguf_path_resolves_to_itself_under_its_stem():
    Path("Some Model.gguf").write_bytes(b"GGUF")
    found = resolve_generator("Some Model.gguf", load_models())
    assert (found.name, found.kind, found.entry) == ("Some Model", "gguf", None)
    assert Path(found.location).samefile("Some Model.gguf")


def test_a_hugging_face_folder_needs_its_config():
    Path("model").mkdir()
    Path("model/other.gguf").write_bytes(b"GGUF")
    with pytest.raises(UsageError) as caught:
        resolve_generator("./model", load_models())
    assert "other.gguf" in str(caught.value.hint)
    Path("model/config.json").write_text("{}")
    assert resolve_generator("./model", load_models()).kind == "huggingface"


def test_a_hugging_face_id_and_a_url_are_taken_as_they_are():
    models = load_models()
    assert resolve_generator("Qwen/Qwen3-0.6B", models).kind == "huggingface"
    assert resolve_generator("hf:Qwen/Qwen3-0.6B", models).location == "Qwen/Qwen3-0.6B"
    server = resolve_generator("http://localhost:8080/v1", models)
    assert (server.kind, server.name, server.location) == (
        "server",
        "localhost:8080",
        "http://localhost:8080/v1",
    )


def test_a_url_with_a_password_is_refused_without_repeating_it():
    with pytest.raises(UsageError) as caught:
        resolve_generator("https://me:secret@example.org/v1", load_models())
    assert "secret" not in f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/v1?api_key=secret",
        "https://example.org/v1?api_key=secret#org/model",
        "https://example.org/v1#api_key=secret",
        "https://example.org/v1#org/model?api_key=secret",
        "http://localhost:8080/v1,https://example.org/v1?secret",
    ],
)
@pytest.mark.parametrize("resolve", [resolve_generator, resolve_embedder])
def test_a_url_with_parameters_is_refused_without_repeating_them(resolve: Callable[..., object], url: str):
    with pytest.raises(UsageError, match="holds parameters") as caught:
        resolve(url, load_models())
    assert "secret" not in f"{caught.value.message} {caught.value.hint}"


def test_a_url_names_its_model_in_the_fragment():
    url = "https://example.org/v1#org/model-1.5:7b@q4_0"
    assert resolve_generator(url, load_models()).location == url


def test_a_name_goes_before_a_file_of_the_same_name():
    Path("demo").write_bytes(b"GGUF")
    models = models_with('[generators.demo]\nsource = "hf:a/b"\n')
    assert resolve_generator("demo", models).location == "a/b"
    assert resolve_generator("./demo", models).kind == "gguf"


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("dmo", "`demo`"),
        ("qwen3-0.6", "`qwen3-0.6b`"),
        ("QWEN3-0.6B", "`qwen3-0.6b`"),
        ("modle.gguf", "model.gguf"),
        ("./modle.gguf", "model.gguf"),
        ("weights/model", "a model is"),
        ("xyzzy-plugh", "a model is"),
        ("", "a model is"),
        ("a\x1b[31m", "a model is"),
    ],
)
def test_what_is_no_model_is_a_usage_error_with_a_hint(text, hint):
    Path("model.gguf").write_bytes(b"GGUF")
    Path("weights").mkdir()
    with pytest.raises(UsageError) as caught:
        resolve_generator(text, load_models())
    assert caught.value.exit_code == 2
    assert hint in str(caught.value.hint)
    assert "\x1b" not in caught.value.message


def test_a_package_file_is_found_without_importing_the_package(package):
    models = models_with('[generators.tiny]\nsource = "package:little_model/tiny.gguf"\n')
    assert is_present(models.generators["tiny"])
    found = resolve_generator("tiny", models)
    assert found.location == str(package / "tiny.gguf")
    assert "little_model" not in sys.modules


def test_a_package_function_is_called_only_when_its_model_is_asked_for(package):
    models = models_with('[generators.tiny]\nsource = "package:little_model:assemble"\n')
    assert is_present(models.generators["tiny"])
    assert "little_model" not in sys.modules
    assert resolve_generator("tiny", models).location == str(package / "tiny.gguf")


def test_a_package_function_that_fails_is_one_line(package):
    for function in ("fail", "absent"):
        models = models_with(f'[generators.tiny]\nsource = "package:little_model:{function}"\n')
        with pytest.raises(ModelError, match=f"little_model:{function}") as caught:
            resolve_generator("tiny", models)
        assert "\n" not in caught.value.message


def test_a_package_that_is_not_installed_names_the_command_that_installs_it(monkeypatch):
    models = models_with('[generators.tiny]\nsource = "package:no_such_model_here:assemble"\n')
    assert not is_present(models.generators["tiny"])
    with pytest.raises(UsageError) as caught:
        resolve_generator("tiny", models)
    assert caught.value.hint == "pip install no-such-model-here"
    monkeypatch.setattr("homogaudit.config.sources.find_spec", lambda name: None)
    with pytest.raises(UsageError) as caught:
        resolve_generator("demo", models)
    assert caught.value.hint == 'pip install "homogaudit[demo]"'
    with pytest.raises(UsageError) as caught:
        resolve_embedder(None, models)
    assert 'pip install "homogaudit[demo]"' in str(caught.value.hint)
    assert "--embedder" in str(caught.value.hint)


def test_embedders_resolve_by_name_folder_and_id():
    models = load_models()
    e5 = resolve_embedder("e5-small-v2", models)
    assert (e5.location, e5.revision, e5.prompt) == ("intfloat/e5-small-v2", None, "query: ")
    Path("own").mkdir()
    Path("own/config.json").write_text("{}")
    own = resolve_embedder("own", models)
    assert (own.name, own.prompt) == ("own", "")
    assert resolve_embedder("org/embedder", models).location == "org/embedder"


@pytest.mark.parametrize("text", ["ftp://localhost:1", "bge-smal-en", "empty", "all.gguf"])
def test_what_is_no_embedder_is_a_usage_error(text):
    Path("empty").mkdir()
    with pytest.raises(UsageError) as caught:
        resolve_embedder(text, load_models())
    assert caught.value.hint


def test_a_downloaded_model_is_seen_only_with_weights_of_the_right_revision(tmp_path):
    models = models_with(
        '[embedders.a]\nsource = "hf:org/name"\n[embedders.b]\nsource = "hf:org/name"\nrevision = "main"\n'
        '[embedders.c]\nsource = "hf:org/name"\nrevision = "v2"\n'
    )
    repository = tmp_path / "hub" / "models--org--name"
    snapshot = repository / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text("{}")
    assert not is_present(models.embedders["a"])
    (snapshot / "model.safetensors").write_bytes(b"")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("abc")
    assert [is_present(models.embedders[name]) for name in "abc"] == [True, True, False]
    assert how_to_get(models.embedders["c"]) == "hf download org/name"


def test_the_presence_of_a_server_is_unknown():
    models = models_with('[generators.server]\nsource = "http://localhost:8080/v1"\n')
    assert is_present(models.generators["server"]) is None


def test_settings_come_from_the_flag_then_the_environment_then_the_file_then_the_default(monkeypatch):
    assert load_settings(load_models()).slots is None
    models = models_with("[settings]\nslots = 4\n")
    assert load_settings(models).slots == 4
    monkeypatch.setenv("HOMOGAUDIT_SLOTS", "8")
    assert load_settings(models).slots == 8
    assert load_settings(models, slots=16).slots == 16
    monkeypatch.setenv("HOMOGAUDIT_SLOTS", "")
    assert load_settings(models).slots == 4


@pytest.mark.parametrize(
    ("key", "file", "variable", "flag"),
    [
        ("samples", 20, 30, 40),
        ("temperature", 0.7, 1.5, 0.2),
        ("max_tokens", 200, 300, 400),
        ("judge", "exact", "numeric", "overlap"),
        ("embedder", "one", "two", "three"),
    ],
)
def test_each_setting_says_where_it_comes_from(monkeypatch, tmp_path, key, file, variable, flag):
    assert key not in load_settings(load_models()).given_by
    path = tmp_path / "m.toml"
    path.write_text(f"[settings]\n{key} = {file!r}\n")
    settings = load_settings(load_models(path))
    assert (getattr(settings, key), settings.given_by[key]) == (file, str(path))
    monkeypatch.setenv(f"HOMOGAUDIT_{key.upper()}", str(variable))
    settings = load_settings(load_models(path))
    assert (getattr(settings, key), settings.given_by[key]) == (variable, f"HOMOGAUDIT_{key.upper()}")
    settings = load_settings(load_models(path), **{key: flag})
    assert (getattr(settings, key), settings.given_by[key]) == (flag, "--" + key.replace("_", "-"))


def test_a_setting_that_does_not_exist_names_the_nearest(tmp_path):
    (tmp_path / "m.toml").write_text("[settings]\nsample = 20\n")
    with pytest.raises(ConfigError, match="unknown key `sample`") as error:
        load_models(tmp_path / "m.toml")
    assert error.value.hint == "did you mean `samples`?"


def test_a_file_of_the_working_folder_makes_no_server_judge_that_has_no_entry():
    Path("models.toml").write_text('[settings]\njudge = "model:http://example.com/v1"\n')
    with pytest.raises(ConfigError, match="`judge` names a model without an entry"):
        load_models()
    # A file that the user names may say so, and so may an entry, which is asked about before it is used.
    assert load_settings(load_models(Path("models.toml"))).judge == "model:http://example.com/v1"
    Path("models.toml").write_text(
        '[generators.other]\nsource = "http://example.com/v1"\n[settings]\njudge = "model:other"\n'
    )
    assert load_models().generators["other"].found_in == Path("models.toml").absolute()


def test_the_runs_folder_of_a_file_counts_from_that_file_and_the_default_is_the_users(tmp_path):
    (tmp_path / "m.toml").write_text('[settings]\nruns = "kept"\n')
    assert load_settings(load_models(tmp_path / "m.toml")).runs == tmp_path / "kept"
    assert load_settings(load_models()).runs.parts[-2:] == ("homogaudit", "runs")


@pytest.mark.parametrize(
    ("variable", "value"), [("SLOTS", "many"), ("SLOTS", "0"), ("THREADS", "-1"), ("GPU_LAYERS", "-2")]
)
def test_a_broken_variable_is_a_configuration_error_that_names_it(monkeypatch, variable, value):
    monkeypatch.setenv(f"HOMOGAUDIT_{variable}", value)
    with pytest.raises(ConfigError, match=f"HOMOGAUDIT_{variable}"):
        load_settings(load_models())


def test_a_broken_flag_is_named_as_the_user_wrote_it():
    with pytest.raises(ConfigError, match="--gpu-layers"):
        load_settings(load_models(), gpu_layers=-5)


def test_hints_name_at_most_three_near_names():
    assert did_you_mean("scr", ["SCR", "auroc"]) == "did you mean `SCR`?"
    assert did_you_mean("qqq", ["auroc"], "nothing near") == "nothing near"
    assert did_you_mean("scr", ["scr\x1b"]) == "did you mean 'scr\\x1b'?"
    hint = did_you_mean("name", ["name1", "name2", "name3", "name4"])
    assert hint is not None
    assert hint.count("`name") == 3


def test_cores_and_memory_are_plausible():
    assert physical_cores() >= 1
    memory = machine_memory()
    if memory.total is not None and memory.available is not None:
        assert 0 < memory.available <= memory.total
