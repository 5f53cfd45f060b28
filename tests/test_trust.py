"""Which servers a command has named, and what is asked about."""

from pathlib import Path

import pytest

from homogaudit.config.trust import ForeignSource, Trust, origin, origins, refuse
from homogaudit.errors import UsageError
from homogaudit.generation.server_keys import api_key, own_key_variable

FILE = Path("/somewhere/models.toml")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://api.example.com/v1", "https://api.example.com:443"),
        ("HTTPS://API.Example.com/v1#model", "https://api.example.com:443"),
        ("http://localhost", "http://localhost:80"),
        ("http://[::1]:8080/v1", "http://::1:8080"),
    ],
)
def test_an_origin_is_scheme_host_and_port(url: str, expected: str):
    assert origin(url) == expected


def test_servers_are_told_apart_by_scheme_host_and_port():
    named = origins("https://a.com/v1#m, http://b.com:81/v1")
    assert named == {"https://a.com:443", "http://b.com:81"}
    assert origins("/models/a.gguf") == frozenset()
    trust = Trust(["https://a.com/v1"])
    for other in ("http://a.com/v1", "https://a.com:444/v1", "https://b.a.com/v1", "https://a.com/v1,https://b.com/v1"):
        with pytest.raises(UsageError, match="did not name"):
            trust.admit("the judge", other, FILE)
    trust.admit("the judge", "https://a.com/other#m", FILE)


def test_what_was_agreed_to_is_asked_once_and_is_told_no_key():
    asked: list[ForeignSource] = []
    trust = Trust(["https://mine.com"], asked.append)
    for _ in range(2):
        trust.admit("the judge", "https://theirs.com/v1", FILE)
    assert [source.location for source in asked] == ["https://theirs.com/v1"]
    assert trust.key_origins == ("https://mine.com:443",)
    trust.name("https://theirs.com/v1")
    assert "https://theirs.com:443" in trust.key_origins


def test_a_refusal_is_remembered_as_one():
    trust = Trust(consent=refuse)
    assert not trust.is_refused
    with pytest.raises(UsageError) as caught:
        trust.admit("model `demo`", "package:here:f", FILE)
    assert trust.is_refused
    message = "model `demo` runs the function `here:f`, according to `/somewhere/models.toml`, which you did not name"
    assert caught.value.message == message
    hint = "if you know it, name the file: `--models /somewhere/models.toml`, or HOMOGAUDIT_MODELS in the environment"
    assert caught.value.hint == hint


def test_the_common_key_goes_to_named_servers_alone(monkeypatch: pytest.MonkeyPatch):
    for name in ("HOMOGAUDIT_API_KEY_A_COM", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOMOGAUDIT_API_KEY", "common")
    assert api_key("https://a.com/v1", ("https://a.com:443",)) == "common"
    assert api_key("https://a.com/v1", ()) is None
    assert api_key("http://a.com/v1", ("https://a.com:443",)) is None
    monkeypatch.setenv("HOMOGAUDIT_API_KEY_A_COM", "its own")
    assert api_key("https://a.com/v1", ()) == "its own"


def test_the_key_of_a_host_is_not_that_of_one_whose_name_differs_in_a_hyphen(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("HOMOGAUDIT_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setenv("HOMOGAUDIT_API_KEY_API_EXAMPLE_COM", "own")
    assert api_key("https://api.example.com/v1", ()) == "own"
    assert api_key("https://api-example.com/v1", ()) is None
    # A server that the user has named is what the variable is meant for, however it was spelled before.
    assert api_key("https://api-example.com/v1") == "own"
    monkeypatch.setenv("HOMOGAUDIT_API_KEY_API__EXAMPLE_COM", "the other's")
    assert api_key("https://api-example.com/v1", ()) == "the other's"


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r", " ", "\t\n"])
def test_white_space_around_a_key_is_no_part_of_it(monkeypatch: pytest.MonkeyPatch, ending: str):
    monkeypatch.setenv("HOMOGAUDIT_API_KEY", f" sk-1{ending}")
    assert api_key("https://a.com/v1") == "sk-1"


@pytest.mark.parametrize("key", ["sk-\r\n1", "sk-\x1b1", "sk-\x7f1", "sk-é1", "sk-\u20101"])
def test_a_key_that_no_header_can_hold_is_refused_and_not_shown(monkeypatch: pytest.MonkeyPatch, key: str):
    monkeypatch.setenv("HOMOGAUDIT_API_KEY", key)
    with pytest.raises(UsageError) as caught:
        api_key("https://a.com/v1")
    assert "`HOMOGAUDIT_API_KEY`" in caught.value.message
    assert "sk-" not in f"{caught.value!r} {caught.value.message} {caught.value.hint}"


def test_an_empty_key_is_none(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOMOGAUDIT_API_KEY", " \n")
    monkeypatch.setenv("OPENAI_API_KEY", "second")
    assert api_key("https://a.com/v1") == "second"


@pytest.mark.parametrize(
    "host", ["api.examplé.com", "ap\u0131.example.com", "api_example.com", "api.example.com.", "\uff41pi.example.com"]
)
def test_no_host_that_looks_like_another_is_told_its_key(monkeypatch: pytest.MonkeyPatch, host: str):
    for name in ("HOMOGAUDIT_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("API_EXAMPL__COM", "API_EXAMPLE_COM"):
        monkeypatch.setenv(f"HOMOGAUDIT_API_KEY_{name}", "sk-own")
    assert api_key("https://api.example.com/v1", ()) == "sk-own"
    assert api_key(f"https://{host}/v1", ()) is None
    monkeypatch.setenv(own_key_variable(f"https://{host}/v1"), "sk-other")
    assert api_key(f"https://{host}/v1", ()) == "sk-other"


@pytest.mark.parametrize(
    "location",
    [
        # Other readers of URLs take a part of these for a port, or none.
        "https://mine.com,http://theirs.com:8_0/v1",
        "https://mine.com, HTTP://theirs.com/v1",
        "https://mine.com,http://theirs.com:99999/v1",
        " http://theirs.com/v1",
        "HTTP://theirs.com/v1",
        "theirs.com/v1",
        "/here/model.gguf",
    ],
)
def test_a_server_is_asked_about_however_its_address_is_written(location: str):
    trust = Trust(["https://mine.com"], refuse)
    with pytest.raises(UsageError):
        trust.admit_server("the judge", location, FILE)
    with pytest.raises(UsageError):
        trust.admit("the judge", location, FILE)


@pytest.mark.parametrize("url", ["http://a.com:8_0/v1", "http://[a/v1", "a.com/v1", ""])
def test_what_no_url_can_be_is_told_no_key(monkeypatch: pytest.MonkeyPatch, url: str):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-common")
    assert api_key(url, ("http://a.com:80",)) is None
