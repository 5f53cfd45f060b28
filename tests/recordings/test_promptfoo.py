"""Results that `promptfoo eval -o results.json` writes."""

from typing import Any

from .conftest import Read, Refused, labels, samples, texts


def result(question: str, output: str | None, success: bool = True, **changes: Any) -> dict[str, Any]:
    return {
        "provider": {"id": "openai:m", "label": ""},
        "prompt": {"raw": f"Answer: {question}", "label": "p"},
        "promptIdx": 0,
        "vars": {"question": question},
        "response": {"output": output, "finishReason": "stop", "cached": False},
        "success": success,
        "testCase": {"vars": {"question": question}, "assert": [{"type": "icontains", "value": "Nile"}]},
    } | changes


def document(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"evalId": "e", "results": {"version": 3, "prompts": [], "results": list(rows), "stats": {}}, "config": {}}


def test_repeats_are_samples_and_assertions_give_references_and_labels(read: Read):
    rows = [result("Which river?", "Nile"), result("Which river?", "Congo", False), result("Which river?", "The Nile")]
    recording = read("r.json", document(*rows))
    assert recording.summary == "read as promptfoo results: 1 question, 3 samples each, greedy none, 1 label"
    assert (texts(recording), samples(recording)) == (["Which river?"], [["Nile", "Congo", "The Nile"]])
    assert recording.file.records[0].question.answers == ("Nile",)
    assert labels(recording) == ["correct"]
    assert recording.file.model == "openai:m"


def test_the_prompt_is_asked_where_no_variable_is_a_question(read: Read):
    variables = {"vars": {"river": "Nile"}}
    recording = read("r.json", document(result("a", "x", **variables), result("a", "y", **variables)))
    assert texts(recording) == ["Answer: a"]


def test_cached_and_failed_results_are_said(read: Read):
    cached = result("Q?", "a", response={"output": "a", "cached": True})
    failed = result("Q?", None, response={"error": "timeout"})
    recording = read("r.json", document(result("Q?", "a"), cached, failed))
    assert samples(recording) == [["a", "a"]]
    assert any("1 answer came from promptfoo's cache" in warning for warning in recording.warnings)
    assert "1 result failed and is left out" in recording.warnings


def test_several_providers_are_not_mixed(read: Read, refused: Refused):
    other = result("Q?", "b", provider={"id": "openai:n"})
    assert "2 models" in refused("r.json", document(result("Q?", "a"), other)).message
    recording = read("r.json", document(result("Q?", "a"), result("Q?", "c"), other), model="openai:m")
    assert samples(recording) == [["a", "c"]]


def test_answers_to_several_prompts_are_never_mixed(read: Read):
    results = [
        {
            "promptIdx": index,
            "vars": {"question": "Which sea?", "answer": "Red"},
            "prompt": {"raw": f"{word}: Which sea?", "label": word},
            "provider": {"id": "m"},
            "response": {"output": word},
        }
        for index, word in enumerate(("Short", "Long"))
    ]
    recording = read("a.json", {"results": {"version": 3, "results": results * 2}})
    assert texts(recording) == ["Short: Which sea?", "Long: Which sea?"]
    assert samples(recording) == [["Short", "Short"], ["Long", "Long"]]
    assert recording.file.records[1].question.answers == ("Red",)
