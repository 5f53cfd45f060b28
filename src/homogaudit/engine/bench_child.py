"""The process behind `homogaudit bench`: the engine and what it is compared with take turns on the same prompts.

Reads one JSON object from stdin and writes one to stdout. It measures; it neither chooses nor formats.
"""

import json
import os
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from homogaudit.config import resource
from homogaudit.config.machine import physical_cores
from homogaudit.engine.bench_contenders import (
    Contender,
    Engine,
    LlamaLoop,
    ServerContender,
    Timing,
    TransformersGenerate,
)
from homogaudit.engine.child import load_generator
from homogaudit.errors import ContextTooShortError, HomogauditError
from homogaudit.events import JobMachine, JobModel
from homogaudit.generation import GeneratorFacts
from homogaudit.generation.local_generator import LocalGenerator
from homogaudit.questions import load_questions
from homogaudit.records import Decoding, Prompting

_LONG_PROMPT = 480
"""Words of the prompt whose reading shows what the device computes: one batch of llama.cpp, nearly full."""


@dataclass(frozen=True, slots=True)
class _Span:
    """The median of the rounds, and their ends."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "_Span":
        return cls(statistics.median(values), min(values), max(values))


def main() -> int:
    """Measure; return the exit code."""
    # Native code writes to fd 1 too; the figures go out on a private copy.
    output = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    job = json.loads(sys.stdin.read())
    try:
        figures = _measure(job)
        code = 0
    except HomogauditError as error:
        figures = {"error": {"kind": error.kind, "message": error.message, "hint": error.hint}}
        code = error.exit_code
    output.write(json.dumps(figures))
    output.flush()
    return code


def _measure(job: dict[str, Any]) -> dict[str, Any]:
    decoding = Decoding(
        samples=job["samples"],
        temperature=job["temperature"],
        max_tokens=job["max_tokens"],
        greedy_max_tokens=job["max_tokens"],
    )
    model = JobModel(job["model"], job["kind"])
    machine = JobMachine(slots=job["slots"], threads=job["threads"], gpu_layers=job["gpu_layers"])
    # A server cannot be named as MODEL.
    loaded = load_generator(model, Prompting(), datetime.now(UTC), machine, measure_anew=True)
    generator = cast(LocalGenerator[Any], loaded)
    contenders = [
        Engine(generator, decoding),
        *_others(job, generator, decoding),
    ]
    timings: list[list[Timing]] = [[] for _ in contenders]
    bounds: list[dict[str, float]] = []
    for number, questions in enumerate(_rounds(job["questions"], job["repeats"])):
        # Who begins is another one in each round: a machine that is busy for a while slows all down alike.
        for place in range(len(contenders)):
            at = (number + place) % len(contenders)
            timings[at].append(contenders[at].measure(questions, number))
        bounds.append(_bounds(generator))
    facts = generator.facts
    for contender in contenders:
        contender.close()
    generator.close()
    return _figures(job, decoding, facts, contenders, timings, bounds)


def _others(job: dict[str, Any], generator: LocalGenerator[Any], decoding: Decoding) -> Iterator[Contender]:
    """Load what the engine is compared with."""
    threads, gpu_layers = job["threads"] or physical_cores(), job["gpu_layers"]
    path = Path(job["model"])
    yield Engine(generator, decoding, share_prefixes=False)
    if job["kind"] == "gguf":
        yield LlamaLoop(path, decoding, mode=generator.facts.mode, threads=threads, gpu_layers=gpu_layers)
    else:
        yield TransformersGenerate(path, decoding, threads=threads, gpu_layers=gpu_layers, one_by_one=True)
    if folder := job["transformers"]:
        yield TransformersGenerate(Path(folder), decoding, threads=threads, gpu_layers=gpu_layers)
    for location in job["against"]:
        yield ServerContender(location, decoding, job["key_origins"])


def _rounds(count: int, repeats: int) -> Iterator[list[str]]:
    """Yield the questions of each round; they go on where the last one ended, so that no server knows them yet."""
    texts = [question.text for question in load_questions(resource("samples") / "misconceptions.jsonl").questions]
    for number in range(repeats):
        yield [texts[place % len(texts)] for place in range(number * count, (number + 1) * count)]


def _bounds(generator: LocalGenerator[Any]) -> dict[str, float]:
    """Return the tokens a second that the device could forward, by what would hold it back.

    A step takes at least as long as one of a single answer, which reads all weights once: bandwidth. And it takes at
    least as long as its tokens do in a long prompt, where reading the weights costs next to nothing, and their logits,
    which a prompt does without: compute. Empty where a step could not be timed.
    """
    facts = generator.facts
    if facts.seconds_per_single_step is None:
        return {}
    words = _LONG_PROMPT
    while True:
        try:
            (read,) = generator.next_tokens([generator.prompt("tell " * words)], ("yes", "no"))
        except ContextTooShortError:
            # Some tokenizers cut words into letters.
            words //= 2
        else:
            return {
                "bandwidth": facts.slots / facts.seconds_per_single_step,
                "compute": read.prompt_tokens / read.seconds * (1 - generator.logits_share),
            }


def _device_limit(rounds: Sequence[Mapping[str, float]], forwarded: float) -> dict[str, Any] | None:
    """Return the lower of the bounds, and how much of it `forwarded` tokens a second are; `None` without bounds.

    Of each bound the best round counts: what else a machine does for a moment is no limit of it.
    """
    if not all(rounds):
        return None
    speeds = {name: max(bounds[name] for bounds in rounds) for name in rounds[0]}
    kind = min(speeds, key=lambda name: speeds[name])
    return {
        "kind": kind,
        "tokens_per_second": speeds[kind],
        "reached": forwarded / speeds[kind],
        "by_kind": speeds,
    }


def _figures(
    job: dict[str, Any],
    decoding: Decoding,
    facts: GeneratorFacts,
    contenders: Sequence[Contender],
    timings: Sequence[Sequence[Timing]],
    bounds: Sequence[Mapping[str, float]],
) -> dict[str, Any]:
    engine = timings[0]
    speeds = [_Span.of([x.speed for x in own]) for own in timings]
    speedups = [_Span.of([e.speed / x.speed for e, x in zip(engine, own, strict=True)]) for own in timings]
    serial = [contender.name for contender in contenders].index("serial loop")
    details = {name: statistics.median(x.details[name] for x in engine) for name in engine[0].details}
    steps = None if facts.seconds_per_step is None else facts.slots / facts.seconds_per_step
    return {
        "speedup_over_serial": speedups[serial].median,
        "engine_tokens_per_second": speeds[0].median,
        "serial_tokens_per_second": speeds[serial].median,
        "contenders": [
            {
                "name": contender.name,
                "tokens_per_second": asdict(speed),
                "engine_speedup": asdict(speedup),
                "arguments": contender.arguments,
                "rounds": [{"tokens": x.tokens, "seconds": x.seconds, **x.details} for x in own],
            }
            for contender, own, speed, speedup in zip(contenders, timings, speeds, speedups, strict=True)
        ],
        "device_limit": _device_limit(bounds, details["forwarded_per_second"]),
        "step_tokens_per_second": steps,
        **details,
        "slots": facts.slots,
        "model": job["name"],
        "device": facts.device,
        "questions": job["questions"],
        "decoding": asdict(decoding),
    }


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    # Native libraries may hang in their destructors; the figures are written.
    os._exit(code)
