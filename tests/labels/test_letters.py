import pytest

from homogaudit.labels.judges import default_judge, label
from homogaudit.labels.letters import named_letters, nameless_choices_warning
from homogaudit.records import Generation, GenerationState, LabelValue, Question

ASKED = Question(
    "q",
    "Which metal is liquid?",
    answers=("Mercury",),
    incorrect_answers=("Iron", "Lead"),
    choices=("Iron", "Mercury", "Lead"),
)


def judged(question: Question, answer: str, judge: str = "exact") -> LabelValue:
    return label(question, Generation("q", -1, answer, answer, GenerationState.VALID, "stop"), judge).value


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("B", "B"),
        ("b.", "B"),
        ("(B)", "B"),
        ("**B**", "B"),
        ("B. Mercury", "B"),
        ("B) Mercury", "B"),
        ("The answer is B", "B"),
        ("The correct answer is (C).", "C"),
        ("Answer: B", "B"),
        ("The answer is A because it melts", "A"),
        ("Mercury (B)", "B"),
        (r"\boxed{B}", "B"),
        ("The answer is A dog", ""),
        ("A dog", ""),
        ("A liquid metal is mercury.", ""),
        ("I think so", ""),
        ("Option B is incorrect", ""),
        ("The answer is not B", ""),
        ("A. Iron\nB. Mercury", ""),
        ("B is the correct answer.", "B"),
        ("It is B.", "B"),
        ("Answer: b", "B"),
        ("B!", "B"),
        ("<answer>B</answer>", "B"),
        ("A is wrong. B is correct.", "B"),
        ("B) Mercury, because C is wrong", "B"),
        ("I eliminate A, not C. The answer is B.", "B"),
        ("I don't think the answer is B", ""),
        ("The answer can't be B.", ""),
        ("A. Iron is wrong, B. Mercury is right.", ""),
        ("A: Iron, no. It is Mercury.", ""),
        ("The answer is A. Wait, no. The answer is B.", "AB"),
        ("A) Iron is solid. The answer is B", "AB"),
        ("A and C", "AC"),
    ],
)
def test_a_letter_is_read_where_it_names_a_choice_and_never_in_a_sentence(answer: str, expected: str) -> None:
    assert "".join(named_letters(answer)) == expected


@pytest.mark.parametrize("judge", ["exact", "overlap"])
@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("B", LabelValue.CORRECT),
        ("(B)", LabelValue.CORRECT),
        ("B. Mercury", LabelValue.CORRECT),
        ("Mercury", LabelValue.CORRECT),
        ("A", LabelValue.INCORRECT),
        ("C. Lead", LabelValue.INCORRECT),
        ("Lead", LabelValue.INCORRECT),
        ("B. Iron", LabelValue.AMBIGUOUS),
        ("A. Mercury", LabelValue.AMBIGUOUS),
    ],
)
def test_letter_and_text_of_the_right_choice_are_correct(answer: str, expected: LabelValue, judge: str) -> None:
    assert judged(ASKED, answer, judge) is expected


@pytest.mark.parametrize(
    "answer",
    [
        "Not A, B.",
        "I think C... no, B",
        "Both A and B",
        "The answer is A. No, the answer is B.",
        "Definitely B!",
        "\u662fB",
    ],
)
def test_an_answer_that_names_letters_without_a_clear_choice_is_never_called_incorrect(answer: str) -> None:
    assert judged(ASKED, answer) is LabelValue.NO_MATCH


def test_a_list_of_letters_is_compared_with_all_right_choices() -> None:
    question = Question("q", "Which are metals?", answers=("Iron", "Lead"), incorrect_answers=("Neon",))
    asked = Question(
        "q", question.text, question.category, question.answers, ("Neon",), choices=("Iron", "Neon", "Lead")
    )
    assert judged(asked, "A and C") is LabelValue.CORRECT
    assert judged(asked, "A, B") is LabelValue.NO_MATCH
    assert judged(asked, "B") is LabelValue.INCORRECT


def test_letters_of_options_in_the_questions_own_text_count_too() -> None:
    question = Question("q", "Which?\n(A) Iron\n(B) Mercury", answers=("Mercury",), incorrect_answers=("Iron",))
    assert judged(question, "(B)") is LabelValue.CORRECT
    assert judged(question, "(A)") is LabelValue.INCORRECT


@pytest.mark.parametrize("reference", ["1", "B"])
def test_an_index_or_a_letter_without_choices_gives_no_label_to_an_answer_in_words(reference: str) -> None:
    question = Question("q", "Which metal is liquid?", answers=(reference,))
    assert judged(question, "Mercury is liquid.") is LabelValue.NO_MATCH
    assert judged(question, reference) is LabelValue.CORRECT
    assert nameless_choices_warning([question, ASKED]) == (
        "1 of 2 questions has an index or a letter as its reference and no choices to find it among: an answer in "
        "words gets no label there"
    )


@pytest.mark.parametrize(
    "question",
    [
        Question("q", "How many moons has the Earth?", answers=("1",)),
        Question("q", "Which vitamin is in lemons?", answers=("C",)),
        Question("q", "What is 3 - 2?", answers=("1",)),
    ],
)
def test_a_number_or_a_letter_that_is_asked_for_is_no_place_among_choices(question: Question) -> None:
    assert nameless_choices_warning([question]) is None


def test_references_that_0_1_0_stored_as_one_written_list_are_read() -> None:
    question = Question("q", "Who wrote it?", answers=("['Ann Lee', 'Lee']",))
    assert judged(question, "Lee wrote it.") is LabelValue.CORRECT


def test_long_texts_are_references_for_a_model_alone() -> None:
    assert default_judge([Question("q", "Describe rain.", answers=(" ".join(["word"] * 13),))]) is None
    assert default_judge([Question("q", "Describe rain.", answers=(" ".join(["word"] * 12),))]) == "exact"
