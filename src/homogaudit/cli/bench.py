"""`homogaudit bench MODEL`: tokens a second of the engine and of other ways to draw, on the same prompts in one run."""

import json
import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from homogaudit.cli import completion
from homogaudit.cli.options import JsonOption, ModelsOption, PresetOption
from homogaudit.errors import ModelError, UsageError, from_kind


def bench(
    context: typer.Context,
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A GGUF file, a Hugging Face folder, or a name from `homogaudit models` such as `demo`.",
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
    transformers: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER",
            help="The same model as a Hugging Face folder, to measure `generate` of transformers too. "
            "Not needed where MODEL is one.",
        ),
    ] = None,
    against: Annotated[
        list[str] | None,
        typer.Option(
            metavar="URL",
            help="An OpenAI-compatible server of the same model, such as vLLM at `http://localhost:8000/v1`, to "
            "measure too. May be repeated.",
        ),
    ] = None,
    repeats: Annotated[int, typer.Option(help="How many rounds to measure; the medians are reported.")] = 3,
    audit: Annotated[
        bool, typer.Option("--audit", help="Time a whole audit by phase instead, as `run` does it.")
    ] = False,
    preset: PresetOption = None,
    models_file: ModelsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure how fast a model draws, against other ways to draw.

    The engine, the engine without its prefix tree, and a plain loop take turns,
    on the same prompts with the same threads and sampling parameters; so do
    `generate` of transformers and servers, where they are named. The loop calls
    `create_chat_completion` of llama-cpp-python, which reuses the prefix of each
    prompt; for a Hugging Face folder it calls `generate` once an answer.
    Machines are noisy: compare the ratios, not the speeds. Later runs tell from
    the measured speed how long they will take.

    With --audit a whole audit is timed instead, by default that of
    `--preset quick`: how much of it goes to loading, drawing, embedding,
    asking, clustering and the report.
    """
    if audit:
        from homogaudit.cli.bench_audit import bench_audit

        bench_audit(given_flags(context), as_json=as_json)
        return
    if preset is not None:
        raise UsageError("`--preset` is for `--audit`", "give both, or `--questions`, `-n` and `--max-tokens`")
    import subprocess

    from homogaudit.config import Trust, load_models, load_settings
    from homogaudit.config.python_child import child_environment, python_command
    from homogaudit.launch.model_choice import resolve_folder, resolve_measurable, resolve_server
    from homogaudit.launch.speeds import Speeds, store_speeds

    named = load_models(models_file)
    settings = load_settings(named, threads=threads, gpu_layers=gpu_layers, slots=slots)
    warn = partial(typer.echo, err=True)
    trust = Trust(named.named_sources, tell=warn)
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
    generator = resolve_measurable(model, named, warn, trust)
    folder = generator.location if generator.kind == "huggingface" else None
    if transformers is not None:
        folder = resolve_folder(transformers, named, warn, trust)
    servers = [resolve_server(url, named, trust) for url in against or ()]
    job = {
        "model": generator.location,
        "kind": generator.kind,
        "name": generator.name,
        "transformers": folder,
        "against": servers,
        "key_origins": trust.key_origins,
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


def given_flags(context: typer.Context) -> dict[str, Any]:
    """Return the arguments and options that stand on the command line, without those that have their default."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    return {name: context.params[name] for name, source in sources.items() if source and source.name != "DEFAULT"}


def _read(output: str, code: int, location: str) -> dict[str, Any]:
    """Return the figures of the measuring process.

    Raises:
        HomogauditError: What it failed with.
    """
    try:
        figures = json.loads(output)
    except ValueError:
        message = f"the measurement of `{location}` crashed (exit code {code})"
        raise ModelError(message, "is the file complete and undamaged?") from None
    if "error" in figures:
        raise from_kind(**figures["error"])
    return figures


def _text(figures: dict[str, Any]) -> str:
    contenders = figures["contenders"]
    width = max(len(row["name"]) for row in contenders)
    table = [f"{'':{width}}  tokens/s             engine is faster by"]
    for row in contenders:
        speed, ratio = row["tokens_per_second"], row["engine_speedup"]
        spread = f"({speed['low']:.0f} to {speed['high']:.0f})"
        faster = "" if row is contenders[0] else f"{ratio['median']:.2f} ({ratio['low']:.2f} to {ratio['high']:.2f})"
        table.append(f"{row['name']:{width}}  {speed['median']:6.0f} {spread:14}{faster}".rstrip())
    called = [f"{row['name']}: {_call(row['arguments'])}" for row in contenders if "function" in row["arguments"]]
    decoding = figures["decoding"]
    work = (
        f"{figures['questions']} questions, {decoding['samples']} samples and the greedy answer each, at most "
        f"{decoding['max_tokens']} tokens"
    )
    return "\n".join(
        (
            f"model           {figures['model']} on {figures['device']}",
            f"rounds          {len(contenders[0]['rounds'])} of {work}; medians, and the range of the rounds",
            "",
            *table,
            "",
            f"device's limit  {_limit(figures['device_limit'])}",
            f"host share      {figures['host_share']:.1%} of the time outside the model",
            f"slots           {figures['slots']}, {figures['slots_in_use']:.1f} in use on average",
            f"prefix tree     {figures['passes_saved']:.1%} of the passes saved",
            *called,
        )
    )


def _limit(limit: dict[str, Any] | None) -> str:
    if limit is None:
        return "not measured"
    other = next(kind for kind in limit["by_kind"] if kind != limit["kind"])
    speeds = {kind: f"{speed:.0f} forwarded tokens/s" for kind, speed in limit["by_kind"].items()}
    return (
        f"{limit['kind']}: {speeds[limit['kind']]}, of which {limit['reached']:.0%} reached ({other}: {speeds[other]})"
    )


def _call(arguments: dict[str, Any]) -> str:
    flat: dict[str, Any] = {}
    for key, value in arguments.items():
        flat |= value if isinstance(value, dict) else {key: value}
    function = flat.pop("function")
    return f"{function}({', '.join(f'{key}={value}' for key, value in flat.items())})"
