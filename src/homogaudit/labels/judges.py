"""The judges by name, the choice of one for a question file, and the label of one answer.

`recorded` labels come with a file: they have a name here and no judge.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from homogaudit.clustering.final_answer import is_number
from homogaudit.config.nearest import did_you_mean
from homogaudit.errors import QuestionFileError, UsageError
from homogaudit.labels.exact import judge_exact
from homogaudit.labels.letters import judge_unknown_choice, names_unknown_choice, with_letters
from homogaudit.labels.nearest import Embed, judge_nearest, weights_of
from homogaudit.labels.numeric import judge_numeric
from homogaudit.labels.overlap import judge_overlap
from homogaudit.labels.verdict import NO_ANSWER, Verdict
from homogaudit.labels.yes_no import is_yes_no, judge_yes_no
from homogaudit.questions.references import read_references
from homogaudit.records import GREEDY, Generation, Label, LabelValue, Question

RECORDED = "recorded"
"""Name of the judge whose labels came with a recorded file."""
NEAREST = "nearest"
"""Name of the judge that needs an embedder."""


@dataclass(frozen=True, slots=True)
class Judge:
    """A way to label an answer against the reference answers of its question.

    Attributes:
        name: What `--judge` takes.
        definition: What it does, in words.
        source: Where the definition comes from.
        decide: Its verdict on a valid answer; of `nearest` alone that of `label`, with the embedder.
    """

    name: str
    definition: str
    source: str
    decide: Callable[[Question, Generation], Verdict] | None


JUDGES: Mapping[str, Judge] = MappingProxyType(
    {
        judge.name: judge
        for judge in (
            Judge(
                "overlap",
                "Compares the content words of the answer with the correct and the incorrect reference answers. The "
                "best Jaccard overlap of each side counts; a lead of more than 0.05 decides. Without one, both above "
                "0.1 is ambiguous and anything less no match. It compares words, not meanings.",
                "arXiv 2603.24124 (word-overlap labels; code DigitLion/ucbd-experiment)",
                judge_overlap,
            ),
            Judge(
                "exact",
                "Correct where the answer equals a reference answer, or contains it as whole words and stands by it: "
                "does not deny it, leave it to others or name it among others. Case, accents, articles, punctuation "
                "and how numbers and units are written do not count.",
                "the exact match of SQuAD (arXiv 1606.05250), widened to containment",
                judge_exact,
            ),
            Judge(
                "numeric",
                "Correct where the number that the answer settles on equals the reference number, separators, currency "
                "and units aside. An answer that was cut off, holds no number or may mean another one is no match.",
                "the answer extraction of GSM8K (arXiv 2110.14168)",
                judge_numeric,
            ),
            Judge(
                NEAREST,
                "Compares what the answer means with the correct and the incorrect reference answers, by embeddings "
                "and by what both say yes to, deny and add to the question. The weights, and the margin below which "
                "there is no label, were fitted on answers labelled by hand.",
                "fitted for this project; similarity to true and false references as in TruthfulQA (arXiv 2109.07958)",
                None,
            ),
        )
    }
)


_LONG_WORDS = 12
"""Words from which a text is no answer to be found in another: who writes as much says it in words of his own."""
_NAME_WORDS = 4
"""Words up to which a reference answer counts as a name or a short fact, not as a sentence."""


def label(
    question: Question, greedy: Generation | None, judge: str, embed: Embed | None = None, embedder: str = ""
) -> Label:
    """Label one answer.

    An answer that is not valid, was never drawn, or has no reference answers is `no_match` with that reason under
    every judge.

    Args:
        question: With its reference answers.
        greedy: The greedy answer or a sample, `None` where there is none.
        judge: A name in `JUDGES`.
        embed: Of `nearest`; an answer gets no label without.
        embedder: Its name.

    Raises:
        UsageError: The judge is not known.
    """
    if judge not in JUDGES:
        raise UsageError(f"unknown judge `{judge}`", did_you_mean(judge, JUDGES, f"one of {', '.join(JUDGES)}"))
    verdict = nothing_to_judge(question, greedy)
    if verdict is None:
        assert greedy is not None
        verdict = _verdict(_with_read_references(question), greedy, _decider(judge, embed, embedder), judge)
    return Label(question.id, judge, verdict.value, verdict.reason, GREEDY if greedy is None else greedy.sample_index)


def _decider(judge: str, embed: Embed | None, embedder: str) -> Callable[[Question, Generation], Verdict]:
    """Return what decides on a valid answer that no rule for letters, yes and no decides on."""
    if (decide := JUDGES[judge].decide) is not None:
        return decide
    weights = weights_of(embedder)
    if embed is None or weights is None:
        return _no_embedder
    return lambda question, answer: judge_nearest(question, answer, embed, weights)


def _no_embedder(question: Question, answer: Generation) -> Verdict:
    return Verdict(LabelValue.NO_MATCH, "nearest: there is no embedder that it was fitted for")


def _with_read_references(question: Question) -> Question:
    """Return a question whose references are texts; runs of version 0.1.0 hold lists that were written into one."""
    references = (*question.answers, *question.incorrect_answers)
    if not any(reference.startswith(("[", "{")) for reference in references):
        return question
    try:
        answers, incorrect = map(read_references, (list(question.answers), list(question.incorrect_answers)))
    except QuestionFileError:
        return question
    return replace(question, answers=answers, incorrect_answers=incorrect)


def _verdict(
    question: Question, greedy: Generation, decide: Callable[[Question, Generation], Verdict], judge: str
) -> Verdict:
    """Return the verdict on a valid answer: references that name a choice or a yes are no texts to look for."""
    if judge != "numeric":
        if is_yes_no(question):
            return judge_yes_no(question, greedy)
        if names_unknown_choice(question):
            return judge_unknown_choice(question, greedy)
    return with_letters(question, greedy, decide(question, greedy))


def nothing_to_judge(question: Question, greedy: Generation | None) -> Verdict | None:
    """Return what every judge says where there is no valid answer or nothing to compare it with, `None` elsewhere."""
    if greedy is None:
        return Verdict(LabelValue.NO_MATCH, "there is no greedy answer")
    if not greedy.is_valid:
        return Verdict(LabelValue.NO_MATCH, NO_ANSWER[greedy.state])
    if not question.answers and not question.incorrect_answers:
        return Verdict(LabelValue.NO_MATCH, "the question has no reference answers")
    return None


def default_judge(questions: Sequence[Question]) -> str | None:
    """Return the judge that fits most of the questions, `None` where none has reference answers.

    A question whose correct answers are all plain numbers is for `numeric`, one whose correct answers are all names or
    short facts for `exact`; else one with incorrect answers is for `overlap`, one with correct answers alone for
    `exact`. Questions without reference answers have no say, nor those whose correct answers are all long texts, which
    only a model can judge by. The judge of
    most questions is taken for all, because labels of two judges do not compare; a tie goes to the first of `overlap`,
    `numeric`, `exact`.

    Args:
        questions: The questions of a run.
    """
    votes = Counter(vote for question in questions if (vote := _fitting_judge(question)) is not None)
    return max(("overlap", "numeric", "exact"), key=lambda name: votes[name]) if votes else None


def _fitting_judge(question: Question) -> str | None:
    # Numbers first: word overlap sees letters only, so that it could label no numeric question.
    if question.answers and all(map(is_number, question.answers)):
        return "numeric"
    # Then names: an answer of one word overlaps with any sentence that holds it by hardly more than nothing.
    if question.answers and all(len(answer.split()) <= _NAME_WORDS for answer in question.answers):
        return "exact"
    if question.incorrect_answers:
        return "overlap"
    return "exact" if any(len(answer.split()) <= _LONG_WORDS for answer in question.answers) else None
