"""What the engine says and what it is told: frozen records, one JSON object a line.

Events say what happened, never how to draw it. Each line carries the protocol version and a sequence number:
`{"version": 1, "sequence": 7, "event": "QuestionScored", ...}`. Commands are `{"command": "pause"}` and so on; the
first line that an engine reads is its `Job`.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from homogaudit.clustering_method import ASKED_FROM, ClusteringMethod
from homogaudit.codec import STRICT, from_values, to_values
from homogaudit.outlook import Outlook

__all__ = [
    "COMMANDS",
    "PROTOCOL_VERSION",
    "Asking",
    "Cancelling",
    "Deciding",
    "EngineFailed",
    "EngineReady",
    "Event",
    "GenerationFailed",
    "GenerationFinished",
    "Job",
    "JobEmbedder",
    "JobJudge",
    "JobMachine",
    "JobModel",
    "JobNli",
    "Loading",
    "Paused",
    "Planned",
    "Progress",
    "QuestionScored",
    "QuestionStarted",
    "Resumed",
    "RunFinished",
    "Scoring",
    "Snapshot",
    "TextDelta",
    "Warning",
    "decode",
    "encode",
]

PROTOCOL_VERSION = 1

COMMANDS = ("pause", "resume", "cancel", "snapshot")
"""What an engine can be told after its job; the end of its input ends it at once."""


@dataclass(frozen=True, slots=True)
class JobEmbedder:
    """Where an embedder lies.

    Attributes:
        key: Names everything that an embedding depends on, so that two embedders never share stored ones.
        location: Folder or Hugging Face id; empty where only its vectors came with recorded answers.
        calibrated_threshold: The cosine that `homogaudit calibrate` found for it, `None` where it never ran.
        meaning: Key of similarities in meaning that came with recorded answers, `None` without any.
    """

    name: str
    key: str
    location: str
    revision: str | None = None
    prompt: str = ""
    calibrated_threshold: float | None = None
    meaning: str | None = None


@dataclass(frozen=True, slots=True)
class JobNli:
    """Where an NLI model lies.

    Attributes:
        key: Names everything that the scores of a pair depend on.
        question_first: Whether it reads the question before both answers.
    """

    name: str
    key: str
    location: str
    revision: str | None = None
    question_first: bool = False

    @property
    def clustering_key(self) -> str:
        """The key, and what else the clusters depend on."""
        return self.key + ("+question" if self.question_first else "")


@dataclass(frozen=True, slots=True)
class JobJudge:
    """A model that judges the greedy answers.

    Attributes:
        key: Under which its labels are stored: its name, and what else a verdict depends on.
        kind: `gguf`, `huggingface` or `server`.
        location: Path, or addresses of servers.
        prompt: The Jinja template of what it is asked.
        seed: Of the order in which it is shown the reference answers.
        price: Of a million tokens of a model on a server; `None` where it is not known.
        threshold: Of a model of meaning: the probability of yes against no from which a pair has one meaning.
    """

    name: str
    key: str
    kind: str
    location: str
    prompt: str
    prompt_sha256: str
    seed: int = 0
    fingerprint: Mapping[str, Any] = field(default_factory=dict[str, Any])
    server_model: str | None = None
    price: float | None = None
    threshold: float = 0.5

    @property
    def clustering_key(self) -> str:
        """The key of a model of meaning, and what else the clusters depend on."""
        return self.key if self.threshold == 0.5 else f"{self.key}{ASKED_FROM}{self.threshold!r}"


@dataclass(frozen=True, slots=True)
class JobModel:
    """The model that draws.

    Attributes:
        kind: `gguf`, `huggingface` or `server`; which generator draws.
        server_model: Name of the model on a server; `None` for its only one, or the one in its address.
        concurrency: Requests at the same time on each server; `None` for the default.
        token_budget: Prompt and answer tokens that servers may be asked for; `None` for no limit.
    """

    location: str
    kind: str = "gguf"
    server_model: str | None = None
    concurrency: int | None = None
    token_budget: int | None = None


@dataclass(frozen=True, slots=True)
class JobMachine:
    """What the work may take of this machine, and whom it may tell the user's key. No figure depends on it.

    Attributes:
        slots: Answers drawn at the same time; `None` for what fits.
        threads: `None` for the physical cores.
        gpu_layers: Layers on the GPU; `None` for as many as fit.
        defer_embedding: Whether to embed only after the model is gone from memory.
        token_arrays: Whether to keep the arrays of every token in the run file.
        key_origins: The servers that may be told the user's key, see `homogaudit.config.trust.origin`.
    """

    slots: int | None = None
    threads: int | None = None
    gpu_layers: int | None = None
    defer_embedding: bool = False
    token_arrays: bool = True
    key_origins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Scoring:
    """How the answers of a run are labelled, clustered and measured; kept in the run file as its last scoring.

    Attributes:
        judge: Who labels the greedy answers; `None` for nobody. Of a model its key.
        embedder_source: `None` where answers are clustered by wording alone.
        nli_source: `None` without clustering by entailment.
        meaning_source: The model that is asked whether two answers say the same, `None` where none is.
        methods: The clusterings; empty for the defaults, and where an early version did not store them.
        signals: Names of the signals to compute, the calls to the model that they need included; empty for all.
        density_pool: Path of the question file that `density` measures against; `None` for the run's own questions.
    """

    judge: str | None = None
    judge_reason: str = ""
    judge_source: JobJudge | None = None
    embedder_source: JobEmbedder | None = None
    embedder_reason: str = ""
    nli_source: JobNli | None = None
    meaning_source: JobJudge | None = None
    methods: tuple[ClusteringMethod, ...] = ()
    signals: tuple[str, ...] = ()
    density_pool: str | None = None

    @property
    def key(self) -> str:
        """What a question is marked with once it is scored: everything that its figures depend on."""
        parts = [self.judge, *(method.key for method in self.methods), *self.signals]
        return json.dumps([*parts, {"pool": self.density_pool}] if self.density_pool else parts)


@dataclass(frozen=True, slots=True)
class Job:
    """What an engine is to do with a run file: draw what is missing, then score what is not scored.

    Attributes:
        run: Path of the run file, which holds questions and parameters already.
        model: `None` to score only.
        then: What the same engine does after it, one after the other, unless it is stopped before.
    """

    run: str
    model: JobModel | None = None
    machine: JobMachine = field(default_factory=JobMachine)
    scoring: Scoring = field(default_factory=Scoring)
    then: "tuple[Job, ...]" = ()

    __pydantic_config__ = STRICT

    def encode(self) -> str:
        """Return the job as one line of JSON without its newline."""
        return json.dumps(to_values(self), separators=(",", ":"))

    @classmethod
    def decode(cls, line: str | bytes) -> "Job":
        """Return the job behind one line.

        Raises:
            ValueError: It is none.
        """
        return from_values(cls, json.loads(line))


@dataclass(frozen=True, slots=True)
class Event:
    """Base of everything that an engine says."""

    __pydantic_config__ = STRICT


@dataclass(frozen=True, slots=True)
class Loading(Event):
    """A part is being loaded: `embedder`, `nli`, `model`, `context`, or `judge`."""

    part: str
    name: str


@dataclass(frozen=True, slots=True)
class EngineReady(Event):
    """The model is loaded and the first draw is about to start.

    Attributes:
        draws: Answers of the whole run, the greedy ones included.
        draws_done: Of these, stored by earlier sessions.
        passes_at_most: Forward passes still to do if every answer takes its full length.
        seconds_at_most: Time for that at the speed of a few warm-up steps; `None` where not measured.
        serial_tokens_per_second: What one answer after the other would take, at the speed of a warm-up step with one
            sequence; `None` where not measured.
        cpu_seconds: Of the engine's process until now: loading takes no longer where its files are in memory.
    """

    device: str
    slots: int
    context: int
    memory_bytes: int
    mode: str
    questions: int
    draws: int
    draws_done: int
    passes_at_most: int
    seconds_at_most: float | None
    details: Mapping[str, Any] = field(default_factory=dict[str, Any])
    serial_tokens_per_second: float | None = None
    cpu_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Planned(Event):
    """What is left to do in each phase of this session; said at its start, and again when a phase begins.

    Attributes:
        answers: To draw.
        calls: To the model about its answers; before they are drawn, as many as if all were valid.
        scorings: Questions to embed and cluster after drawing, rather than beside it.
        judgements: Answers that another model is to judge; before they are drawn, as many as if all were valid.
        comparisons: Pairs of answers about whose meaning a model is to be asked; before they are embedded, about as
            many as are open in other runs.
        is_most: Whether the run may be decided, and stop, before all of it is done.
    """

    answers: int = 0
    calls: int = 0
    scorings: int = 0
    judgements: int = 0
    comparisons: int = 0
    is_most: bool = False


@dataclass(frozen=True, slots=True)
class QuestionStarted(Event):
    """The first draw of a question has started."""

    question_id: str
    text: str


@dataclass(frozen=True, slots=True)
class TextDelta:
    """What one answer has gained since the last `Progress`."""

    question_id: str
    sample_index: int
    text: str


@dataclass(frozen=True, slots=True)
class Progress(Event):
    """How far the run is; at most ten a second, and coalesced for a slow reader.

    Attributes:
        questions_done: Questions all of whose draws are stored.
        tokens_per_second: Tokens drawn in this session over its drawing time.
        seconds_left: An estimate; `None` before there is one.
        slots_in_use: Answers being drawn now.
        questions_stopped: Of a run for the rate alone, those whose first answers lie apart and that are drawn no
            further.
    """

    questions_done: int
    questions: int
    draws_done: int
    draws: int
    tokens: int
    passes: int
    tokens_per_second: float
    seconds: float
    seconds_left: float | None
    slots_in_use: int
    deltas: tuple[TextDelta, ...] = ()
    questions_stopped: int = 0

    def after(self, earlier: "Progress") -> "Progress":
        """Return this progress with the deltas of one that was never sent in front."""
        return dataclasses.replace(self, deltas=earlier.deltas + self.deltas)


@dataclass(frozen=True, slots=True)
class GenerationFinished(Event):
    """One draw is finished and stored."""

    question_id: str
    sample_index: int
    answer: str
    state: str
    finish_reason: str | None
    tokens: int | None
    seconds: float | None


@dataclass(frozen=True, slots=True)
class GenerationFailed(Event):
    """One draw failed; it is stored with the state `error`."""

    question_id: str
    sample_index: int
    message: str


@dataclass(frozen=True, slots=True)
class Asking(Event):
    """A model is being asked about the answers: so many of so many calls are done; at most ten a second.

    Attributes:
        who: The `model` about its own answers, the `model of meaning` about pairs of them, or the `judge`.
    """

    done: int
    calls: int
    who: str = "model"


@dataclass(frozen=True, slots=True)
class QuestionScored(Event):
    """A finished question is clustered and labelled.

    Attributes:
        position: Place of the question in the order of starting, from 0.
        clusters: D(q) by clustering name; a method with fewer than two valid samples is left out.
        valid_samples: Samples that hold an answer; with fewer than `samples` the question enters no running rate.
        samples: N.
        label: The judge's word on the greedy answer; `None` without a judge.
        assignments: Cluster number of each valid sample in the order of its index, by clustering name.
        is_apart: Whether its first samples form two clusters or more; `None` where the run is not for the rate alone.
        is_audited: Whether it is of the random share of such a run that is drawn to the end.
    """

    question_id: str
    position: int
    clusters: Mapping[str, int]
    valid_samples: int
    samples: int
    label: str | None
    assignments: Mapping[str, Sequence[int]] = field(default_factory=dict[str, Sequence[int]])
    is_apart: bool | None = None
    is_audited: bool = False

    @property
    def is_stopped(self) -> bool:
        """Whether it is drawn no further than its first samples; `samples` is their number."""
        return self.is_apart is True and not self.is_audited


@dataclass(frozen=True, slots=True)
class Deciding(Event):
    """What the questions counted so far leave open, in a run that stops as soon as it is decided.

    Attributes:
        questions: Counted, in the order of the run file up to the first that is not scored.
        of: Questions of the run.
        low: Lower end of the confidence sequence of the single-cluster rate.
        high: Upper end of it.
        left: The answers that are left, in words, such as the bands of the level.
        outlook: What is to be expected; `None` where it is not known.
    """

    questions: int
    of: int
    low: float
    high: float
    left: tuple[str, ...]
    outlook: Outlook | None
    is_decided: bool


@dataclass(frozen=True, slots=True)
class Paused(Event):
    """The model stands still."""


@dataclass(frozen=True, slots=True)
class Resumed(Event):
    """The model goes on."""


@dataclass(frozen=True, slots=True)
class Cancelling(Event):
    """The engine was asked to stop; what is finished is stored."""


@dataclass(frozen=True, slots=True)
class Warning(Event):
    """Something that the user should know and that stops nothing."""

    message: str
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Snapshot(Event):
    """The answer to `snapshot`: where the run is, with the full text of every answer being drawn."""

    run: str
    state: str
    progress: Progress | None
    live: tuple[TextDelta, ...]


@dataclass(frozen=True, slots=True)
class RunFinished(Event):
    """The engine is done with a run file, whose `status` it is (`started` after a cancel).

    Attributes:
        seconds: Wall time of the session.
        phases: Of it by `homogaudit.phases.Phase`, pauses left out.
    """

    status: str
    draws: int
    seconds: float
    phases: Mapping[str, float] = field(default_factory=dict[str, float])


@dataclass(frozen=True, slots=True)
class EngineFailed(Event):
    """The engine stopped because of an error; `kind` is that of `homogaudit.errors`."""

    kind: str
    message: str
    hint: str | None = None


_EVENTS: dict[str, type[Event]] = {event.__name__: event for event in Event.__subclasses__()}


LONGEST_LINE = 8 << 20
"""Characters of an event. The run file holds every text whole; an event only shows it."""


def encode(event: Event, sequence: int) -> str:
    """Return the event as one line of JSON without its newline; in one that is too long, long texts are cut."""
    line = {"version": PROTOCOL_VERSION, "sequence": sequence, "event": type(event).__name__} | to_values(event)
    encoded = json.dumps(line, separators=(",", ":"))
    for longest in (1 << 18, 1 << 12, 1 << 8):
        if len(encoded) <= LONGEST_LINE:
            break
        encoded = json.dumps(_cut(line, longest), separators=(",", ":"))
    return encoded


def _cut(value: Any, longest: int) -> Any:
    if isinstance(value, str):
        return value if len(value) <= longest else f"{value[: longest - 1]}…"
    if isinstance(value, dict):
        return {key: _cut(item, longest) for key, item in value.items()}
    return [_cut(item, longest) for item in value] if isinstance(value, list) else value


def decode(line: str | bytes) -> Event:
    """Return the event behind one line.

    Raises:
        ValueError: It is no event of this version.
    """
    fields: Any = json.loads(line)
    if not isinstance(fields, dict) or fields.pop("version", None) != PROTOCOL_VERSION:
        raise ValueError("no event of this protocol version")
    fields.pop("sequence", None)
    event = _EVENTS.get(str(fields.pop("event", "")))
    if event is None:
        raise ValueError("unknown event")
    return from_values(event, fields)
