"""What a user asks for, whoever asks: a command, a screen or a program. Looks nothing up."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Self

from homogaudit.config import did_you_mean
from homogaudit.errors import UsageError
from homogaudit.questions import Columns
from homogaudit.records import Decoding


@dataclass(frozen=True, slots=True)
class Preset:
    """Defaults under one name; a flag goes before them.

    Attributes:
        signals: To compute, or cost classes of them; empty for all.
    """

    samples: int
    max_tokens: int
    greedy_max_tokens: int
    limit: int | None = None
    signals: tuple[str, ...] = ()


NO_CALLS = ("free", "embed", "samples", "nli")
"""Signals where the model is not to be asked: all but those that ask it about each of its answers."""

_QUICK = ("free", "density", "association", "grounding", "samples", "nli")
"""All signals but those that ask the model, and `mars`: it embeds an answer once for each of its words, which takes a
fifth of the time that drawing takes."""

CONTEXTS = ("ask", "hide", "passages")
"""What `--context` takes."""

PRESETS: Mapping[str, Preset] = {
    "quick": Preset(samples=5, max_tokens=40, greedy_max_tokens=40, limit=20, signals=_QUICK),
    "standard": Preset(samples=10, max_tokens=100, greedy_max_tokens=100),
    "paper": Preset(samples=10, max_tokens=40, greedy_max_tokens=200),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringRequest:
    """How answers are to be labelled, clustered and measured.

    What is left out is that of the run's last scoring, where there is one, else that of the settings or the default.

    Attributes:
        judge: auto, none, a judge's name, or `model:` with a model; `None` for the run's own or auto.
        judge_prompt: The template of what a model that judges is asked; `None` for the packaged one.
        embedder: A name of models.toml, a folder or a Hugging Face id.
        nli: An NLI model, named as an embedder is; `none` for no clustering by entailment.
        nli_question: Whether it reads the question before each answer; `None` for yes, or as the run did before.
        meaning: A model that is asked about the pairs of answers that `meaning` leaves open; `none` for none.
        clusterings: In place of the defaults, as `--clustering` takes them.
        signals: To compute, or cost classes of them, or `all`.
        density_pool: The question file that `density` measures against; without one the run's own questions.
        max_cost: Refuse to ask servers for what may cost more; `None` for no limit.
        models_file: A models.toml over those of the default places.
    """

    judge: str | None = None
    judge_prompt: Path | None = None
    embedder: str | None = None
    use_embedder: bool = True
    nli: str | None = None
    nli_question: bool | None = None
    meaning: str | None = None
    clusterings: tuple[str, ...] = ()
    signals: tuple[str, ...] = ()
    density_pool: Path | None = None
    max_cost: float | None = None
    models_file: Path | None = None

    @classmethod
    def of(cls, flags: Mapping[str, Any], **given: Any) -> Self:
        """Return the request behind the flags that have the names of its fields; what is given goes before them."""
        return cls(**{field.name: flags[field.name] for field in fields(cls) if field.name in flags} | given)


@dataclass(frozen=True, slots=True)
class ScoreRequest(ScoringRequest):
    """To score the stored answers of a run again."""

    run: Path


@dataclass(frozen=True, slots=True)
class RunRequest(ScoringRequest):
    """To draw answers and score them; `None` leaves the choice to the preset, the model's entry or the settings.

    Attributes:
        model: A GGUF file, a Hugging Face folder or id, a name of models.toml, `demo`, or the URLs of servers.
        questions: A question file, `-` for stdin; `None` for the packaged sample.
        output: The run file; `None` for a new one in the runs folder, or an unfinished one with the same parameters.
        new: Start anew even where an unfinished run could go on.
        categories: Take these alone; empty for all.
        context: `ask` or `hide` the text that a question comes with; `passages` asks its passages as well.
        system: System line; empty for none.
        server_model: The model's name on the server; `None` for the one in the URL, or the only one.
        concurrency: Requests at the same time on each server; `None` for the default.
        shard: `K/N` for the K-th of N shares of the questions; `None` for all.
        until_decided: Whether to stop once the level is decided, or on which side of `max_scr` the rate lies; `None`
            for no, or as the settings say.
        max_scr: The highest single-cluster rate allowed; matters only there.
        rate_only: Whether to draw a question no further once its first samples lie apart; `None` for no, or as the run
            was begun.
        audit_share: Of the questions that are drawn to the end all the same, more than 0 and less than 1; `None` for
            the default.
        continues: Whether to draw the rest of a run that was decided early, or was for the rate alone.
    """

    model: str
    questions: str | None = None
    output: Path | None = None
    new: bool = False
    preset: str | None = None
    samples: int | None = None
    temperature: float | None = None
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    max_tokens: int | None = None
    greedy_max_tokens: int | None = None
    seed: int = 0
    limit: int | None = None
    shuffle: int | None = None
    categories: tuple[str, ...] = ()
    columns: Columns = field(default_factory=Columns)
    context: str = "ask"
    with_choices: bool = False
    mode: str | None = None
    system: str | None = None
    prompt_template: Path | None = None
    thinking: bool = False
    think_markers: tuple[str, str] = ("<think>", "</think>")
    defer_embedding: bool = False
    token_arrays: bool = True
    slots: int | None = None
    threads: int | None = None
    gpu_layers: int | None = None
    hash_model: bool = False
    server_model: str | None = None
    concurrency: int | None = None
    shard: str | None = None
    until_decided: bool | None = None
    max_scr: float | None = None
    rate_only: bool | None = None
    audit_share: float | None = None
    continues: bool = False


def decoding_of(request: RunRequest) -> Decoding:
    """Return the decoding parameters: what was asked for, else the preset.

    Raises:
        UsageError: The preset is unknown, or a value is out of its range.
    """
    preset = preset_of(request.preset)
    max_tokens = preset.max_tokens if request.max_tokens is None else request.max_tokens
    greedy = request.greedy_max_tokens
    if greedy is None:
        greedy = preset.greedy_max_tokens if request.max_tokens is None else max_tokens
    decoding = Decoding(
        samples=preset.samples if request.samples is None else request.samples,
        temperature=Decoding().temperature if request.temperature is None else request.temperature,
        top_p=request.top_p,
        top_k=request.top_k,
        min_p=request.min_p,
        max_tokens=max_tokens,
        greedy_max_tokens=greedy,
        seed=request.seed,
    )
    for name, least, most in (
        ("samples", 2, 1000),
        ("temperature", 0.0, 10.0),
        ("top_p", 1e-6, 1.0),
        ("top_k", 0, 1 << 24),
        ("min_p", 0.0, 1.0),
        ("max_tokens", 1, 1 << 20),
        ("greedy_max_tokens", 1, 1 << 20),
    ):
        value = getattr(decoding, name)
        if not least <= value <= most:
            flag = "--" + name.replace("_", "-")
            hint = f"the default is {getattr(Decoding(), name):g}"
            if name == "samples":
                hint = "one sample says nothing about the spread of answers"
            raise UsageError(f"`{flag}` must lie between {least:g} and {most:g}, not `{value}`", hint)
    return decoding


def completed(request: RunRequest, values: Mapping[str, Any]) -> RunRequest:
    """Return a request with the values of the user's settings, or of the run that goes on, where it says nothing.

    What a preset sets goes before them, where one is asked for.
    """
    keys = [
        "judge",
        "temperature",
        # One excludes the other, and what the command says goes before the settings.
        *([] if request.rate_only else ("until_decided",)),
        "rate_only",
        "audit_share",
        *([] if request.preset else ("samples", "max_tokens", "greedy_max_tokens")),
    ]
    left_out = [key for key in keys if getattr(request, key) is None and values.get(key) is not None]
    signals = request.signals or preset_of(request.preset).signals
    return replace(request, signals=signals, **{key: values[key] for key in left_out})


def preset_of(name: str | None) -> Preset:
    """Return the preset of this name, `standard` for none.

    Raises:
        UsageError: There is none.
    """
    name = name or "standard"
    if name not in PRESETS:
        raise UsageError(f"unknown preset `{name}`", did_you_mean(name, PRESETS, f"one of {', '.join(PRESETS)}"))
    return PRESETS[name]
