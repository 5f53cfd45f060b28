"""What can spoil the figures: counted over the draws of the scored questions, each with a line of warning.

It does not know what the figures say; the warnings about labels and scores are given by the counts of `labels`.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

from homogaudit.labels.refusals import is_refusal
from homogaudit.questions.scripts import has_no_word_spaces
from homogaudit.questions.wording import quoted
from homogaudit.records import Generation, GenerationState, LabelValue, SampleSet
from homogaudit.report.numbers import count, percent, share
from homogaudit.report.records import DrawCounts, Labels, Undefined, Validity
from homogaudit.report.run_data import RunData, mapping
from homogaudit.statistics import Rate
from homogaudit.store.facts import ThinkingFacts
from homogaudit.store.shards import Shards

FEWEST_OF_A_CLASS = 5
"""Below this an AUROC is decided by single questions; METHODS asks the same of a category."""

_IMPOSSIBLE = 1e-6
"""Equal pairs of a question expected by chance, below which equal draws were repeated, not drawn: over 790 questions
fewer than one run in a thousand is accused wrongly."""

_LONG_ANSWER = 20
"""Words; a longer answer is hardly drawn twice at a temperature of 0.7 or more."""

_WARM = 0.7
_NEARLY_EVERY = 0.9
"""Share of the questions whose long samples are all equal, from which on a cache or a seed is to blame."""


def assess(data: RunData, labels: Labels) -> Validity:
    """Count what can spoil the figures and say so.

    Args:
        data: Of the run; the log-probabilities of equal draws are read too.
        labels: The counts of the chosen judge, for the warnings about them.
    """
    found = _look_at(data.counted)
    samples = found.samples.counts(sum(data.refusals))
    greedy = [x.greedy for x in data.counted if x.greedy is not None]
    refused = sum(is_refusal(draw.answer) for draw in greedy if draw.is_valid)
    validity = Validity(
        questions=len(data.sets),
        questions_scored=len(data.counted) - len(data.unscored_ids),
        questions_unfinished=len(data.sets) - len(data.counted),
        questions_fully_valid=len(data.fully_valid_ids),
        questions_unclustered=sum(x.valid_count < 2 for x in data.counted),
        samples=samples.drawn,
        samples_valid=samples.valid,
        truncated=samples.truncated,
        thinking_unclosed=samples.thinking_unclosed,
        empty=samples.empty,
        refusals=samples.refusals,
        questions_refused=len(data.refused_ids),
        errors=samples.errors,
        duplicated=_duplicated(data, found),
        questions_without_word_spaces=found.unspaced,
        greedy=found.greedy.counts(refused) if greedy else None,
        warnings=(),
    )
    return _with_warnings(validity, data, labels, found.reasons)


def _greedy_text(sample_set: SampleSet) -> list[str]:
    return [sample_set.greedy.answer] if sample_set.greedy else []


@dataclass(slots=True)
class _Tally:
    """Some draws, counted one by one.

    Attributes:
        truncated: Valid ones that were cut.
        ended: Valid ones whose finish reason was recorded.
    """

    states: Counter[GenerationState] = field(default_factory=Counter[GenerationState])
    truncated: int = 0
    ended: int = 0

    def take(self, draw: Generation) -> None:
        self.states[draw.state] += 1
        if draw.is_valid:
            self.truncated += draw.is_truncated
            self.ended += draw.finish_reason is not None

    def counts(self, refusals: int) -> DrawCounts:
        """Return the counts; `truncated` is unknown where no finish reason was recorded."""
        valid = self.states[GenerationState.VALID]
        return DrawCounts(
            drawn=self.states.total(),
            valid=valid,
            truncated=Undefined("no finish reason was recorded") if valid and not self.ended else self.truncated,
            thinking_unclosed=self.states[GenerationState.THINKING_UNCLOSED],
            empty=self.states[GenerationState.EMPTY],
            refusals=refusals,
            errors=self.states[GenerationState.ERROR],
        )


@dataclass(slots=True)
class _Found:
    """What the texts of some questions show, seen in one go: they may have to be read for it.

    Attributes:
        unspaced: Questions that are answered in a script without spaces between words.
        repeating: Questions with samples of the same text.
        frozen: How many samples those questions have whose samples are all of one long text.
        reasons: Why draws failed.
    """

    samples: _Tally = field(default_factory=_Tally)
    greedy: _Tally = field(default_factory=_Tally)
    unspaced: int = 0
    repeating: set[str] = field(default_factory=set[str])
    frozen: list[int] = field(default_factory=list[int])
    reasons: Counter[str] = field(default_factory=Counter[str])


def _look_at(sets: Iterable[SampleSet]) -> _Found:
    found = _Found()
    for x in sets:
        # Read once.
        samples = list(x.samples)
        for draw, tally in (*((draw, found.samples) for draw in samples), (x.greedy, found.greedy)):
            if draw is None:
                continue
            tally.take(draw)
            if draw.state is GenerationState.ERROR and draw.text:
                found.reasons[draw.text.strip("`")] += 1
        found.unspaced += has_no_word_spaces([sample.answer for sample in samples] or _greedy_text(x))
        if any(len(same) > 1 for same in _equal(samples)):
            found.repeating.add(x.question.id)
        if _are_frozen(samples):
            found.frozen.append(len(samples))
    return found


def _duplicated(data: RunData, found: _Found) -> int | Undefined:
    """Count the samples that repeat an earlier one of their question and cannot do so by chance.

    With log-probabilities of untempered, untruncated draws chance is known. Without them only a run counts in which
    nearly every question has equal samples throughout, warm and long.
    """
    if not found.repeating:
        return 0 if data.sample_count >= 2 else Undefined("equal draws need two samples a question")
    temperature = data.sampler("temperature")
    neutral = {"top_p": 1.0, "top_k": 0.0, "min_p": 0.0}
    if temperature == 1.0 and all(data.sampler(name) in (value, None) for name, value in neutral.items()):
        repeated = 0
        for sample_set in data.run.sample_sets(found.repeating):
            if (improbable := _improbable(sample_set.samples)) is None:
                break
            repeated += improbable
        else:
            return repeated
    if temperature is not None and temperature < _WARM:
        return Undefined(f"equal draws can be chance at temperature {temperature:g}")
    if len(found.frozen) < _NEARLY_EVERY * len(data.counted):
        return 0
    return sum(found.frozen) - len(found.frozen)


def _equal(samples: Iterable[Generation]) -> list[list[Generation]]:
    """Return the samples grouped by their raw text; those without text are left out."""
    ordered = sorted((sample for sample in samples if sample.text), key=lambda sample: sample.text)
    return [list(same) for _, same in groupby(ordered, key=lambda sample: sample.text)]


def _log_probability(same: Sequence[Generation]) -> float | None:
    """Return ln p of the text that some samples share, `None` where it was not recorded."""
    sums = [float(x.statistics.logprobs.sum()) for x in same if x.statistics.logprobs is not None]
    # The same text can be made of different tokens; the likeliest way is the lenient one.
    return max(sums, default=None)


def _improbable(samples: Sequence[Generation]) -> int | None:
    """Count the samples of one question that equal an earlier one although chance makes no such pair.

    `None` where the probability of equal ones was not recorded.
    """
    pairs = math.comb(len(samples), 2)
    repeated = 0
    for same in _equal(samples):
        if len(same) < 2:
            continue
        log_probability = _log_probability(same)
        if log_probability is None:
            return None
        if pairs * math.exp(log_probability) < _IMPOSSIBLE:
            repeated += len(same) - 1
    return repeated


def _are_frozen(samples: Sequence[Generation]) -> bool:
    texts = {sample.text for sample in samples}
    return len(samples) > 1 and len(texts) == 1 and len(texts.pop().split()) > _LONG_ANSWER


def _with_warnings(validity: Validity, data: RunData, labels: Labels, reasons: Counter[str]) -> Validity:
    warnings = [
        *data.run.recorded.warnings,
        *_server_warnings(data),
        *_draw_warnings(validity, data.sampler("max_tokens")),
        *_failure_warnings(validity, reasons),
        *_question_warnings(validity, data),
    ]
    warnings += (data.run.thinking or ThinkingFacts()).warnings
    if data.parameters.get("keep_thinking") is True:
        warnings.append("the raw text is taken as the answer, thinking included (`--keep-thinking`)")
    if data.sample_count == 1:
        warnings.append("one sample a question: clusterings need at least two")
    warnings += _label_warnings(validity, labels)
    return replace(validity, warnings=tuple(warnings))


def _server_warnings(data: RunData) -> list[str]:
    """Return what the probes of a server found before anything was drawn, such as a cache."""
    details = [mapping(session.provenance.get("details")) for session in data.sessions]
    return list(dict.fromkeys(str(text) for found in details for text in found.get("probe_warnings") or ()))


def _draw_warnings(validity: Validity, limit: float | None) -> list[str]:
    """Return what is wrong with the draws."""
    warnings: list[str] = []
    invalid = validity.samples - validity.samples_valid
    if invalid:
        kinds = {
            "empty": validity.empty,
            "never left their thinking": validity.thinking_unclosed,
            "failed": validity.errors,
        }
        named = ", ".join(f"{count(number)} {kind}" for kind, number in kinds.items() if number)
        warnings.append(f"{share(invalid, validity.samples)} samples hold no answer ({named})")
    if isinstance(validity.duplicated, int) and validity.duplicated:
        warnings.append(
            f"{share(validity.duplicated, validity.samples)} samples repeat an earlier one of their question and "
            "cannot do so by chance: a cache or a fixed seed; they count as agreement that is not there"
        )
    if isinstance(validity.truncated, int) and validity.truncated:
        at = "the limit" if limit is None else f"{limit:g} tokens"
        warnings.append(
            f"{share(validity.truncated, validity.samples)} samples were cut at {at}: their ends are missing from the "
            "clusters; raise `--max-tokens`"
        )
    if validity.greedy is not None:
        lost = validity.greedy.drawn - validity.greedy.valid
        if lost:
            warnings.append(f"{share(lost, validity.greedy.drawn)} greedy answers hold no answer and cannot be judged")
        if isinstance(validity.greedy.truncated, int) and validity.greedy.truncated:
            cut = share(validity.greedy.truncated, validity.greedy.drawn)
            warnings.append(f"{cut} greedy answers were cut at the limit: a judge sees only their beginning")
    if validity.refusals:
        warnings.append(f"{share(validity.refusals, validity.samples)} samples decline to answer")
    return warnings


def _failure_warnings(validity: Validity, reasons: Counter[str]) -> list[str]:
    """Return why most of the failed draws failed; such a draw holds its reason in place of a text."""
    if not reasons:
        return []
    (reason, number), *others = reasons.most_common()
    also = f", and {count(len(others))} other reasons" if others else ""
    draws = validity.samples + (0 if validity.greedy is None else validity.greedy.drawn)
    return [f"{share(number, draws)} draws failed because of {quoted(reason, 200)}{also}"]


def _question_warnings(validity: Validity, data: RunData) -> list[str]:
    """Return what is wrong with the questions that enter."""
    warnings: list[str] = []
    if data.run.question_cut:
        warnings.append(f"{data.run.question_cut}: files are often sorted, `--shuffle` draws from all of it")
    missing = data.run.missing_shards
    if missing:
        shards = Shards.of_parameters(data.parameters)
        absent = Shards(missing, shards.of)
        total = int(data.parameters["questions"]["count"])
        warnings.append(
            f"{absent} {'is' if len(missing) == 1 else 'are'} missing: {share(total - validity.questions, total)} "
            "questions of the file enter nothing"
        )
    if data.is_stopped and data.run.status == "complete":
        asked = share(validity.questions_drawn, validity.questions)
        warnings.append(
            f"the run was decided after {asked} questions: AUROCs and other fixed-n intervals are of a stopped run"
        )
    elif validity.questions_unfinished:
        unfinished = share(validity.questions_unfinished, validity.questions)
        warnings.append(f"{unfinished} questions are unfinished and enter nothing")
    how = "run `homogaudit score RUN`" if data.run.is_recorded else "run the same command again"
    if data.unscored_ids:
        unscored = share(len(data.unscored_ids), validity.questions_drawn)
        warnings.append(f"{unscored} drawn questions are not scored: {how} to score them")
    elif data.run.status != "complete" and not validity.questions_unfinished and not missing:
        warnings.append(f"every question is scored but the run is not complete: {how} to complete it")
    short = validity.questions_drawn - validity.questions_fully_valid
    if short and validity.samples:
        warnings.append(
            f"{share(short, validity.questions_drawn)} scored questions have fewer valid samples than drawn: "
            "they enter only the best-case and worst-case rate"
        )
    if validity.questions_without_word_spaces:
        number_of = share(validity.questions_without_word_spaces, validity.questions_drawn)
        warnings.append(
            f"{number_of} questions are answered in a script without spaces between words: word bigrams (`jaccard`, "
            "`overlap`) mean little there"
        )
    return warnings


def _label_warnings(validity: Validity, labels: Labels) -> list[str]:
    """Return what is wrong with the labels."""
    if labels.judge is None or not validity.questions_scored:
        return []
    warning = label_warning(labels)
    warnings = [warning] if warning else []
    model = labels.judges[labels.judge].model
    if model is not None and isinstance(model.unparsed, Rate) and model.unparsed.k:
        warnings.append(
            f"{share(model.unparsed.k, model.unparsed.n)} replies of judge `{labels.judge}` hold no verdict: these "
            "answers have no label; a larger model or another `--judge-prompt` may do"
        )
    if model is not None and isinstance(model.failed, Rate) and model.failed.k:
        warnings.append(
            f"{share(model.failed.k, model.failed.n)} replies of judge `{labels.judge}` failed, most because of "
            f"{quoted((model.failure or '').strip('`'), 200)}: these answers have no label"
        )
    labelled = labels.correct + labels.incorrect
    if labelled and 2 * labelled < validity.questions_scored:
        of_all = percent(labelled / validity.questions_scored)
        warnings.append(
            f"only {share(labelled, validity.questions_scored)} questions ({of_all}) are labelled correct or incorrect "
            f"by `{labels.judge}`: figures that need labels say nothing about the others"
        )
    return warnings


def label_warning(labels: Labels) -> str | None:
    """Return why the labels carry no AUROC that could be trusted, `None` where they do."""
    return None if labels.judge is None else too_few_labels(labels.judge, labels.correct, labels.incorrect)


def too_few_labels(judge: str, correct: int, incorrect: int) -> str | None:
    """Return why so many labels of a judge carry no AUROC that could be trusted, `None` where they do."""
    labelled = correct + incorrect
    if not labelled:
        return f"judge `{judge}` finds no answer correct or incorrect: signals cannot be scored"
    counts = {LabelValue.CORRECT: correct, LabelValue.INCORRECT: incorrect}
    for value, counted in counts.items():
        if not counted:
            none = f"none of {count(labelled)} labelled answers is {value.value}"
            return f"{none}: signals cannot be scored, no AUROC exists"
        if counted < FEWEST_OF_A_CLASS:
            return (
                f"only {share(counted, labelled)} labelled answers {'is' if counted == 1 else 'are'} {value.value}: an "
                f"AUROC needs at least {FEWEST_OF_A_CLASS} of each class to mean anything"
            )
    return None
