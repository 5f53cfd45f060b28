"""`homogaudit bench MODEL`: tokens a second of a serial loop and of the engine, on the same prompts in one run."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from homogaudit.cli import completion
from homogaudit.cli.options import JsonOption, ModelsOption
from homogaudit.errors import ModelError, UsageError, from_kind


def bench(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A GGUF file, or a name from `homogaudit models` such as `demo`.",
            autocompletion=completion.models,
        ),
    ],
    questions: Annotated[int, typer.Option(help="How many questions of the packaged sample to ask.")] = 8,
    samples: Annotated[int, typer.Option("-n", "--samples", help="Samples per question.")] = 10,
    max_tokens: Annotated[int, typer.Option(help="Longest answer, in tokens.")] = 40,
    temperature: Annotated[float, typer.Option(help="Sampling temperature.")] = 1.0,
    slots: Annotated[int | None, typer.Option(help="Answers drawn at the same time.")] = None,
    threads: Annotated[int | None, typer.Option(help="CPU threads; default: the physical cores.")] = None,
    gpu_layers: Annotated[
        int | None, typer.Option(help="Layers of the model on the GPU; default: as many as fit.")
    ] = None,
    repeats: Annotated[int, typer.Option(help="How often to measure both; the medians are reported.")] = 3,
    models_file: ModelsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure how fast a model draws, against a plain loop.

    The loop calls llama-cpp-python's `create_chat_completion` with the same
    threads, prompts and sampling parameters, and reuses the prefix of each
    prompt. Engine and loop take turns, because machines are noisy: compare the
    ratio, not the speeds. Later runs tell from the measured speed how long they
    will take.
    """
    import subprocess

    from homogaudit.config import load_models, load_settings
    from homogaudit.config.python_child import child_environment, python_command
    from homogaudit.launch.model_choice import resolve_gguf
    from homogaudit.launch.speeds import Speeds, store_speeds

    named = load_models(models_file)
    settings = load_settings(named, threads=threads, gpu_layers=gpu_layers, slots=slots)
    generator = resolve_gguf(model, named)
    for name, value, least, most in (
        ("questions", questions, 1, 10_000),
        ("samples", samples, 1, 1000),
        ("max-tokens", max_tokens, 1, 1 << 20),
        ("temperature", temperature, 0, 10),
        ("repeats", repeats, 1, 1000),
    ):
        if not least <= value <= most:
            message = f"`--{name}` must lie between {least} and {most}, not `{value}`"
            raise UsageError(message, "leave it out for its default")
    job = {
        "model": generator.location,
        "name": generator.name,
        "questions": questions,
        "samples": samples,
        "max_tokens": max_tokens,
        "temperature": temperature,
        "slots": settings.slots,
        "threads": settings.threads,
        "gpu_layers": settings.gpu_layers,
        "repeats": repeats,
    }
    # In a process of its own, like every use of llama.cpp: it aborts on some broken files.
    process = subprocess.run(
        python_command("homogaudit.engine.bench_child"),
        env=child_environment(),
        input=json.dumps(job),
        stdout=subprocess.PIPE,
        stderr=None if sys.stderr.isatty() else subprocess.DEVNULL,
        text=True,
        check=False,
    )
    figures = _read(process.stdout, process.returncode, generator.location)
    # What a run would take is told from these.
    speeds = Speeds(figures["engine_tokens_per_second"], figures["serial_tokens_per_second"])
    store_speeds(settings.runs, Path(generator.location), speeds)
    typer.echo(json.dumps(figures, indent=2) if as_json else _text(figures))


def _read(output: str, code: int, location: str) -> dict[str, Any]:
    """Return the figures of the measuring process.

    Raises:
        HomogauditError: What it failed with.
    """
    try:
        figures = json.loads(output)
    except ValueError:
        message = f"llama.cpp crashed on `{location}` (exit code {code})"
        raise ModelError(message, "is the file complete and undamaged?") from None
    if "error" in figures:
        raise from_kind(**figures["error"])
    return figures


def _text(figures: dict[str, Any]) -> str:
    limit = figures["limit_tokens_per_second"]
    at_limit = (
        "not measured" if limit is None else f"{limit:.0f} tokens/s, of which {figures['share_of_limit']:.0%} reached"
    )
    serial = figures["serial_arguments"]
    arguments = ", ".join(f"{key}={value}" for key, value in (serial["Llama"] | serial["call"]).items())
    spread = ", ".join(f"{speedup:.2f}" for speedup in figures["speedups"])
    return "\n".join(
        (
            f"model           {figures['model']} on {figures['device']}",
            f"engine          {figures['engine_tokens_per_second']:.0f} tokens/s",
            f"serial loop     {figures['serial_tokens_per_second']:.0f} tokens/s",
            f"speedup         {figures['speedup_over_serial']:.2f} (runs: {spread})",
            f"engine's limit  {at_limit}",
            f"host share      {figures['host_share']:.1%} of the time outside the model",
            f"slots           {figures['slots']}, {figures['slots_in_use']:.1f} in use on average",
            f"prefix tree     {figures['passes_saved']:.1%} of the passes saved",
            f"serial call     {serial['function']}({arguments})",
        )
    )
