import sys
import warnings
from pathlib import Path

import pytest

from homogaudit.records import Question, SampleSet
from homogaudit.signals import registry
from homogaudit.signals.plugins import SignalPluginWarning, third_party_signals
from homogaudit.signals.registry import RunInputs, SignalInputs, Signals, compute_run_signals, compute_signals

MODULE = """
import sys

from homogaudit.signals.inputs import Unavailable
from homogaudit.signals.signal import RunSignal, Signal


def letters(inputs):
    return len(inputs.sample_set.question.text)


def fail(inputs):
    raise ZeroDivisionError("by nothing\\nand more")


def of_run(inputs):
    return {question.id: 2 if question.text else Unavailable("no text") for question in inputs.questions}


def signal(name, compute, boundary="B1", needs=(), **more):
    return Signal(name, boundary, "free", needs, "Counts.", "nobody", compute, **more)


good = signal("question_letters", letters, direction=-1)
failing = signal("always_fails", fail)
wrong_type = signal("gives_text", lambda inputs: "text")
run = RunSignal("of_a_run", "B2", "free", (), "Counts.", "nobody", of_run)
run_wrong = RunSignal("of_a_run_wrong", "B2", "free", (), "Counts.", "nobody", lambda inputs: {"q": "text"})
taken = signal("perplexity", letters)
twice = signal("question_letters", letters)
bad_name = signal("Question letters", letters)
bad_need = signal("bad_need", letters, needs=("telepathy",))
bad_boundary = signal("bad_boundary", letters, boundary="B9")
bad_resource = signal("bad_resource", letters, resources=frozenset({"luck"}))
bad_compute = signal("bad_compute", None)
bad_needs = signal("bad_needs", letters, needs=None)
bad_direction = signal("bad_direction", letters, direction=[])
bad_text = Signal("bad_text", "B1", "free", (), 7, "nobody", letters)
no_name = signal(None, letters)
escaping = signal("escaping", letters, needs=("\\x1b]52;c;AAAA\\x07",))
leaving = signal("leaves", lambda inputs: sys.exit(3))
not_a_signal = letters
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Return a function that lays a distribution with entry points on sys.path."""

    def lay(**entry_points: str) -> None:
        (tmp_path / "fake_signals.py").write_text(MODULE, encoding="utf-8")
        (tmp_path / "fake_signals_broken.py").write_text("raise RuntimeError('no\\nway')", encoding="utf-8")
        (tmp_path / "fake_signals_leaving.py").write_text("import sys\nsys.exit(0)", encoding="utf-8")
        metadata = tmp_path / "fake_signals-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(
            "Metadata-Version: 2.1\nName: fake-signals\nVersion: 1.0\n", encoding="utf-8"
        )
        lines = "\n".join(f"{name} = {value}" for name, value in entry_points.items())
        (metadata / "entry_points.txt").write_text(f"[homogaudit.signals]\n{lines}\n", encoding="utf-8")
        monkeypatch.syspath_prepend(str(tmp_path))

    yield lay
    for name in ("fake_signals", "fake_signals_broken"):
        sys.modules.pop(name, None)


QUESTION = Question("q", "Why?")
INPUTS = SignalInputs(SampleSet(QUESTION, None, []), 0)


def test_a_signal_of_an_installed_package_is_computed_and_turned_like_every_other(install, monkeypatch) -> None:
    install(any_name="fake_signals:good", of_a_run="fake_signals:run")
    monkeypatch.setattr(registry, "SIGNALS", Signals())
    assert list(registry.SIGNALS)[-2:] == ["question_letters", "of_a_run"]
    # 4 letters; the signal says that fewer is more uncertain
    assert [value.value for value in compute_signals(INPUTS, ["question_letters"])] == [-4.0]
    found = compute_run_signals(RunInputs([QUESTION, Question("r", "")]), ["of_a_run"])
    assert [(value.value, value.reason) for value in found] == [(2.0, ""), (None, "no text")]


@pytest.mark.parametrize(
    ("entry_point", "problem"),
    [
        ("fake_signals_broken:x", "RuntimeError: no"),
        ("fake_signals:absent", "AttributeError"),
        ("no_such_module:x", "ModuleNotFoundError"),
        ("fake_signals:not_a_signal", "it loads to `function`, not to a Signal or a RunSignal"),
        ("fake_signals:taken", "the name `perplexity` is taken"),
        ("fake_signals:bad_name", "its name `'Question letters'` is not made of lower-case letters"),
        ("fake_signals:bad_need", "unknown need `telepathy`"),
        ("fake_signals:bad_boundary", "unknown boundary `B9`; one of B1, B2, B3, B4, B5"),
        ("fake_signals:bad_resource", "unknown resource `luck`"),
        ("fake_signals:bad_compute", "its `compute` cannot be called"),
        ("fake_signals:bad_needs", "TypeError: 'NoneType' object is not iterable"),
        ("fake_signals:bad_direction", "unknown direction `[]`"),
        ("fake_signals:bad_text", "its definition is no text"),
        ("fake_signals:no_name", "its name `None` is not made of"),
        ("fake_signals:escaping", "unknown need `�]52;c;AAAA�`"),
        ("fake_signals_leaving:x", "SystemExit: 0"),
    ],
)
def test_a_broken_package_is_a_warning_and_the_others_are_there(install, entry_point: str, problem: str) -> None:
    install(a_broken=entry_point, good="fake_signals:good")
    with pytest.warns(SignalPluginWarning, match="third-party signal `a_broken` is passed over") as caught:
        found = third_party_signals({"perplexity"})
    assert list(found) == ["question_letters"]
    assert problem in str(caught[0].message)
    assert str(caught[0].message).isprintable()


def test_of_two_signals_of_one_name_the_first_entry_point_stands(install) -> None:
    install(b="fake_signals:twice", a="fake_signals:good")
    with pytest.warns(SignalPluginWarning, match="`b` is passed over: the name `question_letters` is taken"):
        assert third_party_signals(())["question_letters"].direction == -1


def test_a_signal_that_fails_on_a_question_has_no_value_there_and_says_why(install, monkeypatch) -> None:
    install(a="fake_signals:failing", b="fake_signals:wrong_type", c="fake_signals:run_wrong", d="fake_signals:leaving")
    monkeypatch.setattr(registry, "SIGNALS", Signals())
    found = compute_signals(INPUTS, ["always_fails", "gives_text", "leaves"])
    assert [value.value for value in found] == [None, None, None]
    assert found[2].reason == "the signal failed: SystemExit: 3"
    assert found[0].reason == "the signal failed: ZeroDivisionError: by nothing"
    assert found[1].reason.startswith("the signal failed: ValueError")
    found = compute_run_signals(RunInputs([QUESTION]), ["of_a_run_wrong"])
    assert found[0].value is None
    assert found[0].reason.startswith("the signal failed: ValueError")


def test_without_such_packages_there_is_nothing_and_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert third_party_signals(()) == {}
