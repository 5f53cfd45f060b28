"""What a run tells of itself beside its tables: one typed attribute a fact."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from homogaudit.codec import to_values
from homogaudit.errors import ParametersDifferError
from homogaudit.events import Scoring
from homogaudit.store.database import Database
from homogaudit.store.facts import (
    AskedIn,
    ClusterLabels,
    EmbedderUsed,
    Fact,
    JudgeUsed,
    ModelSource,
    RecordedFacts,
    ThinkingFacts,
    read_record,
)
from homogaudit.store.rate_only import RateOnly
from homogaudit.store.until_decided import UntilDecided

_LATER_PARAMETERS = frozenset({"prompting.all_switches"})
"""Parameters that version 0.1.0 did not store: a run without one goes on as it was begun."""

_DIGESTS = {"questions.sha256": "its questions were others", "model.fingerprint": "its model file was another"}
"""What is said of parameters whose values tell nobody anything, and of all that is in them."""

_IN_PARAMETERS = ("name", "kind", "fingerprint", "server_model")
"""What of a model is compared when its run is resumed."""


class RunFacts(Database):
    """The facts of a run.

    Attributes:
        created: ISO 8601, UTC.
        finished: The same; `None` before everything is drawn and scored.
        status: `started` until everything is drawn and scored, or decided early, then `complete`.
        model: The model's name as reports show it.
        question_source: The question file's name as reports show it.
        directions: -1 for recorded signals where lower is more uncertain.
        duplicates: Questions of the file that were left out because they stand in it twice.
        reader: Of the way in which the question file was read; runs of version 0.1.0 are without one.
        missing_shards: Numbers of the shards that a merged run lacks.
        scoring: The last one; `None` before the first.
        run_signals: Key of the scoring that the signals over all questions are stored under.
        phases: Seconds of all sessions by `homogaudit.phases.Phase`; empty in runs of version 0.1.0.
        diversity_of: Key of the scoring whose figures of diversity are stored; `None` where there are none.
        continued: Whether the rest of a run that stops early, or has questions that do, is to be drawn after all.
        given_answers: Sample indexes of recorded answers that the file told beside the text, by question id.
    """

    id = Fact(str, "")
    created = Fact(str, "")
    finished = Fact(str)
    status = Fact(str, "")
    model = Fact(str, "")
    question_source = Fact(str, "")
    directions = Fact(dict[str, int], {})
    duplicates = Fact(int, 0)
    reader = Fact(int)
    question_cut = Fact(str, "")
    missing_shards = Fact(tuple[int, ...], ())
    merged = Fact(list[dict[str, str]], [])
    chat_template = Fact(str)
    thinking = Fact(ThinkingFacts)
    recorded = Fact(RecordedFacts, RecordedFacts())
    given_answers = Fact(dict[str, list[int]])
    scoring = Fact(Scoring)
    wanted_calls = Fact(list[str], [], key="calls")
    asks_in_conversation = Fact(bool, False)
    """Whether the model is asked about its answers behind them and not in prompts of their own, as it always was."""
    run_signals = Fact(str)
    diversity_of = Fact(str)
    phases = Fact(dict[str, float], {})
    token_arrays_dropped = Fact(bool, False)
    continued = Fact(bool, False)
    embedders = Fact(dict[str, EmbedderUsed], {})
    judge_models = Fact(dict[str, JudgeUsed], {})
    cluster_labels = Fact(ClusterLabels)

    @property
    def parameters(self) -> dict[str, Any]:
        """Everything that the draws depend on."""
        return dict(self.meta("parameters"))

    @property
    def stopping_rule(self) -> UntilDecided | None:
        """When the run stops before its whole file is drawn; `None` where it does not."""
        return None if self.continued else UntilDecided.of_parameters(self.parameters)

    @property
    def asked_in(self) -> AskedIn | None:
        """Where the model is asked about its answers; `None` where it is not."""
        if not self.wanted_calls:
            return None
        return "the same conversation" if self.asks_in_conversation else "a separate prompt"

    @property
    def rate_rule(self) -> RateOnly | None:
        """Which of its questions the run draws no further than their first samples; `None` where it draws all."""
        return None if self.continued else RateOnly.of_parameters(self.parameters)

    @property
    def is_recorded(self) -> bool:
        """Whether the answers came with a file: nothing more is to be drawn."""
        return bool(self.parameters.get("recorded"))

    @property
    def model_source(self) -> ModelSource:
        """The model that the run is drawn from."""
        drawn, entry = self.parameters.get("model"), self.meta("model_entry")
        told = dict(entry) if isinstance(entry, dict) else {}
        if isinstance(drawn, dict):
            told |= {"kind": drawn.get("kind"), "fingerprint": drawn.get("fingerprint")}
            told["server_model"] = drawn.get("name")
        return read_record(self.path, "model", ModelSource, told | {"name": self.model})

    def note_model_entry(self, source: ModelSource) -> None:
        """Store what the parameters do not tell of a model: nothing of it makes a run another one."""
        told = {key: value for key, value in to_values(source).items() if value is not None}
        self.set_meta("model_entry", {key: value for key, value in told.items() if key not in _IN_PARAMETERS})

    def require_parameters(self, parameters: Mapping[str, Any]) -> None:
        """Check that `parameters` are those of this run.

        Raises:
            ParametersDifferError: They are not; the message names each difference.
        """
        changed = dict.fromkeys(
            next((words for digest, words in _DIGESTS.items() if f"{name}.".startswith(f"{digest}.")), None)
            or f"`{name}` was {json.dumps(was)}, is {json.dumps(now)}"
            for name, was, now in differences(self.parameters, json.loads(json.dumps(parameters)))
        )
        if changed:
            message = f"`{self.path}` was started with other parameters: {'; '.join(changed)}"
            raise ParametersDifferError(message, "choose another file with `-o`, or give the same parameters")


def differences(was: Any, now: Any, name: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield (dotted name, old value, new value) of every leaf that differs between two JSON values."""
    if isinstance(was, dict) and isinstance(now, dict):
        for key in sorted(was.keys() | now.keys()):
            path = f"{name}.{key}" if name else key
            if path not in _LATER_PARAMETERS or (key in was and key in now):
                yield from differences(was.get(key), now.get(key), path)
    elif was != now:
        yield name, was, now
