"""One answer a row, the same question on several rows."""

from .conftest import Read, Refused, greedy, labels, samples, texts

ROWS = [
    ("Which river?", "Nile", "2", "b"),
    ("Which sea?", "Red", "1", "c"),
    ("Which river?", "Nile", "1", "a"),
    ("Which sea?", "Red", "2", "d"),
]


def table(head: str, rows: list[tuple[str, ...]] = ROWS) -> str:
    return "\n".join([head, *map(",".join, rows)]) + "\n"


def test_rows_of_one_question_are_its_samples_in_the_order_of_their_numbers(read: Read):
    recording = read("a.csv", table("question,reference,sample_id,response"))
    assert recording.summary == "read as one answer per row: 2 questions, 2 samples each, greedy none"
    assert texts(recording) == ["Which river?", "Which sea?"]
    assert samples(recording) == [["a", "b"], ["c", "d"]]
    assert recording.file.records[0].question.answers == ("Nile",)
    assert "`sample_id` tells the answers to one question apart" in recording.warnings


def test_the_columns_can_be_named(read: Read, refused: Refused):
    names = {"question": "q", "answer": "said", "sample": "k", "references": "truth"}
    recording = read("a.tsv", table("q,truth,k,said").replace(",", "\t"), **names)
    assert samples(recording) == [["a", "b"], ["c", "d"]]
    assert recording.file.records[1].question.answers == ("Red",)
    error = refused("a.csv", table("q,truth,k,said"), **{**names, "sample": "kk"})
    assert "line 2: no column `kk`" in error.message


def test_a_row_at_temperature_zero_is_the_greedy_answer(read: Read):
    rows = [("Q?", "0", "g"), ("Q?", "1.0", "a"), ("Q?", "1.0", "b")]
    recording = read("a.csv", table("question,temperature,response", rows))
    assert (greedy(recording), samples(recording)) == (["g"], [["a", "b"]])
    rows = [("Q?", "greedy", "g"), ("Q?", "0", "a"), ("Q?", "1", "b")]
    recording = read("a.csv", table("question,sample,response", rows))
    assert (greedy(recording), samples(recording)) == (["g"], [["a", "b"]])


def test_one_row_a_question_is_the_greedy_answer(read: Read):
    lines = [{"question": "Q1?", "response": "a"}, {"question": "Q2?", "response": "b"}]
    recording = read("a.jsonl", lines)
    assert (greedy(recording), samples(recording)) == (["a", "b"], [[], []])
    assert "one answer per question: taken as the greedy answer" in recording.warnings


def test_answer_is_the_models_where_a_question_stands_on_several_rows(read: Read, refused: Refused):
    rows = [("Q1?", "a"), ("Q2?", "b"), ("Q1?", "c"), ("Q2?", "b")]
    recording = read("a.csv", table("question,answer", rows))
    assert samples(recording) == [["a", "c"], ["b", "b"]]
    assert "`answer` is taken as the model's answer, one per row" in recording.warnings
    assert "holds no answers" in refused("a.csv", table("question,answer", rows[:2])).message


def test_the_label_of_samples_is_that_of_most(read: Read):
    rows = [("Q1?", "a", "1"), ("Q1?", "b", "0"), ("Q1?", "c", "1"), ("Q2?", "d", "0"), ("Q2?", "e", "1")]
    recording = read("a.csv", table("question,response,is_correct", rows))
    assert labels(recording) == ["correct", "ambiguous"]


def test_answers_of_several_models_are_never_mixed(read: Read, refused: Refused):
    rows = [("Q?", "big", "a"), ("Q?", "small", "b"), ("Q?", "big", "c")]
    error = refused("a.csv", table("question,model,response", rows))
    assert "the answers of 2 models stand in one file" in error.message
    assert "`big`, `small`" in (error.hint or "")
    recording = read("a.csv", table("question,model,response", rows), model="big")
    assert samples(recording) == [["a", "c"]]
    assert recording.file.model == "big"
    assert "1 answer of a model other than `big` is left out" in recording.warnings


def test_several_temperatures_are_said(read: Read):
    rows = [("Q?", "0", "g"), ("Q?", "0.5", "a"), ("Q?", "1.0", "b")]
    recording = read("a.csv", table("question,temperature,response", rows))
    assert samples(recording) == [["a", "b"]]
    assert "the samples were drawn at several temperatures (0.5, 1) and are taken together" in recording.warnings


def test_a_label_that_is_none_is_refused(refused: Refused):
    assert "`label` is `maybe`" in refused("a.csv", "question,response,label\nQ?,a,maybe\n").message
