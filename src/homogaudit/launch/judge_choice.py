"""Which judge labels the greedy answers, and why. Loads no model."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from homogaudit.config import ModelsFile, Trust, load_models
from homogaudit.errors import ModelError, UsageError
from homogaudit.events import JobJudge, Scoring
from homogaudit.records import Question

if TYPE_CHECKING:
    from homogaudit.launch.server_choice import ServerEstimate
    from homogaudit.store import RunFile

_MODEL = "model:"
"""What `--judge` puts before a model, so that no model can be taken for a judge that has a name."""


@dataclass(frozen=True, slots=True)
class JudgeChoice:
    """A judge, `None` for nobody, and the reason in words.

    Attributes:
        judge: Its name; of a model the key of its labels.
    """

    judge: str | None
    reason: str
    model: JobJudge | None = None

    @classmethod
    def of(cls, scoring: Scoring) -> "JudgeChoice":
        """Return the judge of a scoring."""
        return cls(scoring.judge, scoring.judge_reason, scoring.judge_source)

    @property
    def is_on_server(self) -> bool:
        """Whether judging may cost money."""
        return self.model is not None and self.model.kind == "server"

    def admit_stored(self, trust: Trust, run: "RunFile") -> None:
        """Ask before a judge on a server is contacted because a run file names it; not where it has judged everything.

        Raises:
            UsageError: The user does not agree.
        """
        if self.model is not None and self.estimate_stored(run) is not None:
            trust.admit_server("the judge", self.model.location, run.path)

    def require_server(self) -> None:
        """Check that a limit of cost has something to limit.

        Raises:
            UsageError: The judge is on none.
        """
        if not self.is_on_server:
            raise UsageError("`--max-cost` is for a judge or a model of meaning on a server", "leave it out")

    def estimate(self, questions: Sequence[Question], answer_tokens: int) -> "ServerEstimate | None":
        """Return what the judge asks of its server at most, `None` where it is on none."""
        from homogaudit.launch.server_choice import estimate_judging

        if self.model is None or not self.is_on_server:
            return None
        return estimate_judging([(x, answer_tokens) for x in questions], self.model.prompt, self.model.price)

    def estimate_stored(self, run: "RunFile") -> "ServerEstimate | None":
        """Return what the judge asks of its server about stored answers; `None` where it asks no server anything."""
        from homogaudit.labels.judges import nothing_to_judge
        from homogaudit.launch.server_choice import ServerEstimate, estimate_judging, estimate_tokens

        if self.model is None or not self.is_on_server:
            return None
        judged = run.labels(self.model.key).keys()
        waiting = [
            (x.question, estimate_tokens(x.greedy.answer))
            for x in run.sample_sets(token_arrays=False, samples=False)
            if x.greedy and x.question.id not in judged and nothing_to_judge(x.question, x.greedy) is None
        ]
        if not waiting:
            return None
        return ServerEstimate(0, 0, 0, 0.0, estimate_judging(waiting, self.model.prompt, self.model.price))


def choose_judge(
    asked: str | None,
    questions: Sequence[Question],
    *,
    recorded: bool = False,
    prompt: Path | None = None,
    models: ModelsFile | None = None,
    warn: Callable[[str], None] = lambda _: None,
    trust: Trust | None = None,
    place: str = "--judge",
) -> JudgeChoice:
    """Return the judge that was asked for, or the one that fits the questions.

    Args:
        asked: `auto` or `None` to choose, `none` for no labels, `model:` with a model, else a judge's name.
        questions: With their reference answers.
        recorded: Whether labels came with the run.
        prompt: A template of what a model is asked; `None` for the packaged one.
        models: The names of models; read from the default places where left out.
        warn: Told before a download begins.
        trust: Asks about what only a file names; `None` refuses it.
        place: What asks for it: the flag, a variable or a file of settings.

    Raises:
        UsageError: The judge is not known, there are no recorded labels, or a prompt is given to a judge that has none.
        HomogauditError: The model that is to judge, or its prompt, cannot be used.
    """
    from homogaudit.labels.judges import JUDGES, RECORDED, default_judge
    from homogaudit.labels.letters import nameless_choices_warning

    if asked is not None and asked.startswith(_MODEL):
        models = load_models() if models is None else models
        trust = trust or Trust(models.named_sources)
        model = _choose_model(asked.removeprefix(_MODEL), prompt, models, warn, trust)
        return JudgeChoice(model.key, f"chosen by `{place}`", model)
    if prompt is not None:
        raise UsageError("`--judge-prompt` is for a model that judges", "name one with `--judge model:NAME`")
    if asked == "none":
        return JudgeChoice(None, f"switched off by `{'--judge none' if place == '--judge' else place}`")
    if asked not in (None, "auto"):
        if asked == RECORDED and not recorded:
            raise UsageError("the run has no recorded labels", f"choose one of {', '.join(JUDGES)}")
        check_judge_name(asked, place)
    if asked != RECORDED and (warning := nameless_choices_warning(questions)) is not None:
        warn(warning)
    if asked not in (None, "auto"):
        return JudgeChoice(asked, f"chosen by `{place}`")
    if recorded:
        return JudgeChoice(RECORDED, "labels came with the recorded answers")
    judge = default_judge(questions)
    reason = "fits the reference answers of most questions"
    if judge is None:
        has_answers = any(question.answers for question in questions)
        reason = "the questions have no reference answers"
        if has_answers:
            reason = "the reference answers are long texts, which only a model can judge by (`--judge model:NAME`)"
            warn(f"no labels: {reason}")
    return JudgeChoice(judge, reason)


def check_judge_name(asked: str, place: str = "--judge") -> None:
    """Check what `--judge` or a setting names, as far as that needs no model.

    Raises:
        UsageError: It is no judge.
    """
    from homogaudit.config import did_you_mean
    from homogaudit.labels.judges import JUDGES, RECORDED

    names = [*JUDGES, RECORDED, "none", "auto"]
    if asked not in names and not asked.startswith(_MODEL):
        forms = f"one of {', '.join(JUDGES)}, none, auto, or `model:` and a model"
        where = "" if place == "--judge" else f" in `{place}`"
        raise UsageError(f"unknown judge `{asked}`{where}", did_you_mean(asked, names, forms))


def stored_judge(scoring: Scoring, models: ModelsFile) -> JobJudge | None:
    """Return the model that judged in a run's last scoring, at the price that models.toml names by now."""
    judge = scoring.judge_source
    if judge is None or judge.kind != "server":
        return judge
    price = _price(judge, models)
    return judge if price is None else replace(judge, price=price)


def _price(judge: JobJudge, models: ModelsFile) -> float | None:
    """Return the price of a judge that models.toml names, or whose address it names; `None` where there is none."""
    named = models.generators.get(judge.name.removeprefix(_MODEL))
    prices = [
        entry.price_per_million_tokens
        for entry in (*([named] if named else []), *models.generators.values())
        if entry.source == judge.location
    ]
    return next((price for price in prices if price is not None), None)


def choose_meaning_model(text: str, models: ModelsFile, warn: Callable[[str], None], trust: Trust) -> JobJudge:
    """Return the model that is asked whether two answers say the same, under a key that names what it says depends on.

    Raises:
        HomogauditError: It cannot be used.
    """
    from homogaudit.clustering.meaning_judge import meaning_prompts

    return _asked_model(text, meaning_prompts("", "", "")[0], "", models, warn, trust)


def _choose_model(
    text: str, prompt: Path | None, models: ModelsFile, warn: Callable[[str], None], trust: Trust, seed: int = 0
) -> JobJudge:
    """Return the model that judges, under a key that names all that its verdicts depend on."""
    from homogaudit.labels.model_judge import JudgePrompt, default_prompt
    from homogaudit.questions import load_template

    if not text.strip():
        raise UsageError("`--judge model:` names no model", "for example `--judge model:demo`")
    template = default_prompt() if prompt is None else load_template(prompt)
    # Refused before a model is looked for.
    JudgePrompt(template, seed)
    return _asked_model(text, template, _MODEL, models, warn, trust, seed)


def _asked_model(
    text: str,
    template: str,
    prefix: str,
    models: ModelsFile,
    warn: Callable[[str], None],
    trust: Trust,
    seed: int = 0,
) -> JobJudge:
    """Return a model that is asked about answers; its name has a prefix."""
    from homogaudit.generation.fingerprint import model_fingerprint
    from homogaudit.launch.model_choice import resolve_drawable
    from homogaudit.launch.server_choice import choose_server

    generator = resolve_drawable(text, models, warn, trust)
    server_model: str | None = None
    if generator.kind == "server":
        server = choose_server(generator, None, warn, trust.key_origins)
        generator, server_model, fingerprint = server.generator, server.model, server.parameters
    else:
        try:
            fingerprint = model_fingerprint(Path(generator.location))
        except OSError as error:
            raise ModelError(f"cannot read `{generator.location}`: {error.strerror}") from error
    digest = hashlib.sha256(json.dumps([generator.kind, fingerprint, template, seed]).encode()).hexdigest()
    name = prefix + generator.name
    return JobJudge(
        name,
        f"{name}#{digest[:8]}",
        generator.kind,
        generator.location,
        template,
        hashlib.sha256(template.encode()).hexdigest(),
        seed,
        fingerprint,
        server_model,
        generator.entry.price_per_million_tokens if generator.entry else None,
    )
