"""How a run is scored: what the user asks for, and where they leave something out, what its last scoring was.

Loads no model and changes no run file.
"""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from homogaudit.clustering.meaning import fitted_embedders, shipped_fit
from homogaudit.clustering.methods import choose_methods, methods_of
from homogaudit.config import ModelsFile, Settings, Trust
from homogaudit.config.trust import is_url
from homogaudit.errors import HomogauditError, UsageError
from homogaudit.events import JobEmbedder, JobJudge, JobNli, Scoring
from homogaudit.launch.embedder_choice import (
    SWITCHED_OFF,
    is_there,
    resolve_job_embedder,
    resolve_job_nli,
    with_calibrated_threshold,
    with_own_threshold,
)
from homogaudit.launch.judge_choice import (
    JudgeChoice,
    check_judge_name,
    choose_judge,
    choose_meaning_model,
    stored_judge,
)
from homogaudit.launch.requests import ScoringRequest
from homogaudit.questions import load_questions
from homogaudit.records import ClusteringMethod, Question
from homogaudit.signals.registry import choose_signals
from homogaudit.store import RunFile


@dataclass(frozen=True, slots=True)
class ScoringPlanner:
    """Plans the scoring of one run.

    Attributes:
        warn: Told what the user should know and what stops nothing.
        own: The run's last scoring, as `stored_scoring` gives it; `None` where there is none.
        recorded_embedder: That of vectors that came with recorded answers.
    """

    request: ScoringRequest
    models: ModelsFile
    settings: Settings
    trust: Trust
    warn: Callable[[str], None]
    own: Scoring | None = None
    recorded_embedder: JobEmbedder | None = None

    def plan(self, run: Path, questions: Sequence[Question], pool: str | None, *, recorded: bool = False) -> Scoring:
        """Return the scoring.

        Args:
            run: The run file, which need not be there yet.
            questions: All of its question file, by whose kind a judge is chosen.
            pool: The question file of `density` that the user asks for, see `resolve_density_pool`.
            recorded: Whether labels came with the run.

        Raises:
            HomogauditError: Something that was asked for is not there or does not fit, or the user does not agree.
        """
        request, own = self.request, self.own
        chosen = self._judge(run, questions, recorded=recorded)
        embedder, reason = self._embedder(run)
        _check_nearest(chosen.judge, embedder)
        nli = self._nli()
        scoring = Scoring(
            judge=chosen.judge,
            judge_reason=chosen.reason,
            judge_source=chosen.model,
            embedder_source=embedder,
            embedder_reason=reason,
            nli_source=nli,
            meaning_source=self._meaning(run, embedder),
            signals=own.signals if own and not request.signals else choose_signals(request.signals),
            density_pool=pool,
        )
        clusterings = request.clusterings
        if own is not None and not clusterings:
            clusterings = _clusterings_again(own, scoring)
        if own is not None and pool is None and own.density_pool and Path(own.density_pool).exists():
            scoring = replace(scoring, density_pool=own.density_pool)
        return replace(scoring, methods=methods_of(scoring, clusterings))

    def _judge(self, run: Path, questions: Sequence[Question], *, recorded: bool) -> JudgeChoice:
        request = self.request
        if self.own is not None and request.judge is None and request.judge_prompt is None:
            own = JudgeChoice.of(self.own)
            with RunFile.open(run) as stored:
                own.admit_stored(self.trust, stored)
            return own
        return choose_judge(
            request.judge,
            questions,
            recorded=recorded,
            prompt=request.judge_prompt,
            models=self.models,
            warn=self.warn,
            trust=self.trust,
            place=self.settings.place_of("judge", request.judge),
        )

    def _embedder(self, run: Path) -> tuple[JobEmbedder | None, str]:
        request, own = self.request, self.own
        if request.embedder is None and request.use_embedder and own is None and self.recorded_embedder is not None:
            return self.recorded_embedder, ""
        if request.embedder is None and request.use_embedder and own is not None:
            if own.embedder_source is not None and is_there(own.embedder_source.location):
                if is_url(own.embedder_source.location):
                    self.trust.admit_server("the embedder", own.embedder_source.location, run)
                return with_calibrated_threshold(own.embedder_source), ""
            if own.embedder_reason == SWITCHED_OFF:
                return None, SWITCHED_OFF
        embedder, reason = resolve_job_embedder(
            self.settings.embedder,
            self.models,
            wanted=request.use_embedder,
            trust=self.trust,
            found_in=self.settings.embedder_found_in,
        )
        if embedder is None and request.use_embedder:
            self.warn(f"no embedder, so answers are clustered by wording alone: {reason}")
        return embedder, reason

    def _meaning(self, run: Path, embedder: JobEmbedder | None) -> JobJudge | None:
        asked, own = self.request.meaning, self.own.meaning_source if self.own else None
        if asked == "none" or (asked is None and own is None):
            return None
        fit = shipped_fit(embedder.key) if embedder is not None else None
        if embedder is None or fit is None:
            if asked is None:
                return None
            raise UsageError("`--meaning` needs the default embedder", "it is asked where that one leaves pairs open")
        if asked is not None:
            own = choose_meaning_model(asked, self.models, self.warn, self.trust)
            return with_own_threshold(own, fit.key(embedder.key, own.key))
        assert own is not None
        if own.kind == "server":
            self.trust.admit_server("the model of `meaning`", own.location, run)
        elif not is_there(own.location):
            self.warn(
                f"`meaning` goes by the embedder alone: the model `{own.name}` is not at `{own.location}` any more"
            )
            return None
        return with_own_threshold(own, fit.key(embedder.key, own.key))

    def _nli(self) -> JobNli | None:
        request = self.request
        own = self.own.nli_source if self.own and request.nli is None else None
        if own is None:
            first = request.nli_question is not False
            return resolve_job_nli(request.nli, self.models, question_first=first, trust=self.trust)
        if is_there(own.location):
            return own if request.nli_question is None else replace(own, question_first=request.nli_question)
        self.warn(f"no clusters by entailment: the NLI model `{own.name}` is not at `{own.location}` any more")
        return None


def _check_nearest(judge: str | None, embedder: JobEmbedder | None) -> None:
    """Check that the judge that compares meanings has an embedder that it was fitted for.

    Raises:
        UsageError: It has none.
    """
    from homogaudit.labels.judges import NEAREST
    from homogaudit.labels.nearest import fitted_embedders

    if judge != NEAREST or (embedder is not None and embedder.location and embedder.name in fitted_embedders()):
        return
    found = "there is none" if embedder is None else f"`{embedder.name}` is another"
    known = ", ".join(f"`{name}`" for name in fitted_embedders())
    raise UsageError(
        f"the judge `{judge}` needs an embedder that it was fitted for, and {found}",
        f"it was fitted for {known}: `--embedder {next(iter(fitted_embedders()))}`",
    )


def check_names(request: ScoringRequest, settings: Settings) -> None:
    """Check what can be wrong with a request before a model is downloaded, a server contacted or a file loaded.

    Raises:
        UsageError: A judge, a signal or a clustering is not known.
    """
    check_judge_name(request.judge or "auto", settings.place_of("judge", request.judge))
    choose_signals(request.signals)
    if request.clusterings:
        choose_methods(embedder=fitted_embedders()[0], numeric=False, specifications=request.clusterings, nli="any")


def resolve_density_pool(path: Path | None) -> str | None:
    """Return the absolute path of a question file that can be read, `None` for none.

    Raises:
        UsageError: It is no question file.
    """
    if path is None:
        return None
    load_questions(path)
    return str(path.expanduser().resolve())


def stored_scoring(scoring: Scoring, default_embedder: str | None, models: ModelsFile) -> Scoring:
    """Return a run's last scoring, with its models where they lie on this machine and at the price of today.

    The embedder of the settings may be the run's by another name.

    Raises:
        ConfigError: The names cannot be read.
    """
    embedder, nli = scoring.embedder_source, scoring.nli_source
    return replace(
        scoring,
        judge_source=stored_judge(scoring, models),
        embedder_source=embedder and _found_embedder(embedder, default_embedder, models),
        nli_source=nli and _found_nli(nli, models),
    )


def _found_embedder(stored: JobEmbedder, default: str | None, models: ModelsFile) -> JobEmbedder:
    """Return the run's embedder where it lies on this machine; as stored where the same one is not found."""
    if is_there(stored.location):
        return stored
    for name in (stored.name, default):
        with contextlib.suppress(HomogauditError):
            found, _ = resolve_job_embedder(name, models, wanted=True)
            if found is not None and found.key == stored.key:
                return replace(stored, location=found.location)
    return stored


def _found_nli(stored: JobNli, models: ModelsFile) -> JobNli:
    """Return the run's NLI model where it lies on this machine; as stored where the same one is not found."""
    if is_there(stored.location):
        return stored
    with contextlib.suppress(HomogauditError):
        found = resolve_job_nli(stored.name, models)
        if found is not None and found.key == stored.key:
            return replace(stored, location=found.location)
    return stored


def _clusterings_again(own: Scoring, new: Scoring) -> list[str]:
    """Return the clusterings of a stored scoring that can be made again; the judge decides on that of numbers."""
    left_out = {
        "embedding": new.embedder_source is None,
        "entailment": new.nli_source is None,
        "answer": own.judge == "numeric",
    }
    # A model of meaning that was fitted for another version gives way to this one's, with its threshold.
    known = {x.embedder for x in methods_of(new) if x.similarity == "meaning"}
    return [
        _specification(x)
        for x in own.methods
        if not left_out.get(x.similarity, x.similarity == "meaning" and x.embedder not in known)
    ]


def _specification(method: ClusteringMethod) -> str:
    """Return a stored method as `--clustering` takes it."""
    threshold = "" if method.threshold is None else f"={method.threshold!r}"
    return f"{method.similarity}{threshold}/{method.linkage}"
