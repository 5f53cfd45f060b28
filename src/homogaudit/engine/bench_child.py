"""The process behind `homogaudit bench`: times a serial loop and the engine in turn on the same prompts.

Reads one JSON object from stdin and writes one to stdout. It measures; it neither chooses nor formats.
"""

import json
import os
import statistics
import sys
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from homogaudit.config import resource
from homogaudit.config.machine import physical_cores
from homogaudit.errors import HomogauditError
from homogaudit.generation import DrawRequest
from homogaudit.generation.llama_cpp import LlamaCppGenerator
from homogaudit.questions import load_questions
from homogaudit.records import GREEDY, Decoding, Prompting


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
    questions = [question.text for question in load_questions(resource("samples") / "misconceptions.jsonl").questions]
    questions = (questions * (job["questions"] // len(questions) + 1))[: job["questions"]]
    decoding = Decoding(
        samples=job["samples"],
        temperature=job["temperature"],
        max_tokens=job["max_tokens"],
        greedy_max_tokens=job["max_tokens"],
    )
    threads = job["threads"] or physical_cores()
    engine_runs: list[dict[str, Any]] = []
    serial_runs: list[dict[str, Any]] = []
    facts: dict[str, Any] = {}
    for repeat in range(job["repeats"]):
        facts, engine = _time_engine(job, questions, decoding, threads, seed=repeat)
        engine_runs.append(engine)
        serial_runs.append(_time_serial(job, questions, decoding, threads, facts["mode"], seed=repeat))
    engine_speed = statistics.median(run["tokens_per_second"] for run in engine_runs)
    serial_speed = statistics.median(run["tokens_per_second"] for run in serial_runs)
    limit = None if facts["seconds_per_step"] is None else facts["slots"] / facts["seconds_per_step"]
    return {
        "speedup_over_serial": engine_speed / serial_speed,
        "speedups": [
            e["tokens_per_second"] / s["tokens_per_second"] for e, s in zip(engine_runs, serial_runs, strict=True)
        ],
        "engine_tokens_per_second": engine_speed,
        "serial_tokens_per_second": serial_speed,
        "limit_tokens_per_second": limit,
        "share_of_limit": None if limit is None else engine_speed / limit,
        "host_share": statistics.median(run["host_share"] for run in engine_runs),
        "slots": facts["slots"],
        "slots_in_use": statistics.median(run["slots_in_use"] for run in engine_runs),
        "passes_saved": statistics.median(run["passes_saved"] for run in engine_runs),
        "model": job["name"],
        "device": facts["device"],
        "questions": job["questions"],
        "decoding": asdict(decoding),
        "serial_arguments": serial_runs[0]["arguments"],
        "engine_runs": engine_runs,
        "serial_runs": [{key: run[key] for key in ("tokens", "seconds", "tokens_per_second")} for run in serial_runs],
    }


def _time_engine(
    job: dict[str, Any], questions: list[str], decoding: Decoding, threads: int, seed: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    generator = LlamaCppGenerator(
        Path(job["model"]),
        Prompting(),
        now=datetime.now(UTC),
        gpu_layers=job["gpu_layers"],
        threads=threads,
        slots=job["slots"],
    )
    try:
        indexes = (GREEDY, *range(decoding.samples))
        requests = [DrawRequest(f"{seed}-{n}", generator.prompt(text), indexes) for n, text in enumerate(questions)]
        drawing = generator.draw(requests, decoding)
        live = unshared = 0
        while not drawing.is_done:
            for generation in drawing.step():
                # The first token comes with the prompt; an answer that ends by itself needs a pass to say so.
                unshared += (generation.tokens or 0) - (generation.finish_reason == "length")
            live += drawing.live
        counts = drawing.counts
        return asdict(generator.facts), {
            "tokens": counts.tokens,
            "seconds": counts.seconds,
            "tokens_per_second": counts.tokens / counts.seconds,
            "host_share": 1 - counts.model_seconds / counts.seconds,
            "slots_in_use": live / max(1, counts.steps),
            "passes": counts.passes,
            "passes_saved": 1 - counts.passes / max(1, unshared),
        }
    finally:
        generator.close()


def _time_serial(
    job: dict[str, Any], questions: list[str], decoding: Decoding, threads: int, mode: str, seed: int
) -> dict[str, Any]:
    """Time the loop that users write today: one call a sample, the prompt's cells reused by the library."""
    import llama_cpp

    loading: dict[str, Any] = {
        "n_ctx": 2048,
        "n_threads": threads,
        "n_threads_batch": threads,
        "n_gpu_layers": -1 if job["gpu_layers"] is None else job["gpu_layers"],
        "logits_all": False,
        "seed": seed,
        "verbose": False,
    }
    calling: dict[str, Any] = {
        "max_tokens": decoding.max_tokens,
        "temperature": decoding.temperature,
        "top_p": decoding.top_p,
        "top_k": decoding.top_k,
        "min_p": decoding.min_p,
        "repeat_penalty": 1.0,
    }
    model = llama_cpp.Llama(job["model"], **loading)
    system = {"role": "system", "content": Prompting().system}
    tokens = 0

    def call(question: str) -> dict[str, Any]:
        if mode == "base":
            return model.create_completion(f"Q: {question}\nA:", stop=["\n"], **calling)  # pyright: ignore
        messages: list[Any] = [system, {"role": "user", "content": question}]
        return model.create_chat_completion(messages, **calling)  # pyright: ignore

    call(questions[0])
    begun = time.perf_counter()
    for question in questions:
        for _ in range(decoding.samples + 1):
            tokens += call(question)["usage"]["completion_tokens"]
    seconds = time.perf_counter() - begun
    model.close()
    function = "create_completion" if mode == "base" else "create_chat_completion"
    return {
        "tokens": tokens,
        "seconds": seconds,
        "tokens_per_second": tokens / seconds,
        "arguments": {"function": function, "Llama": loading, "call": calling},
    }


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    # Native libraries may hang in their destructors; the figures are written.
    os._exit(code)
