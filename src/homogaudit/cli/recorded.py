"""`homogaudit import` and `homogaudit export`: recorded generations in and out.

Knows flags and files; the format is `store.recorded`'s, scoring the engine's.
"""

import shlex
from contextlib import ExitStack
from functools import partial
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from homogaudit.cli import options
from homogaudit.cli.output import ForceOption, check_targets
from homogaudit.errors import HomogauditError, UsageError
from homogaudit.launch.run_paths import find_run, new_run_path, runs_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

    from homogaudit.questions.thinking import ParsedAnswer
    from homogaudit.store.recorded import ExportOptions
    from homogaudit.store.run_file import RunFile

_named = partial(typer.Option, metavar="NAME")


def import_(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="The answers, in any of the layouts below.", show_default=False),
    ] = None,
    example: options.ExampleOption = False,
    output: options.OutputOption = None,
    keep_thinking: Annotated[
        bool, typer.Option("--keep-thinking", help="Keep the model's thoughts as part of the answer.")
    ] = False,
    think_markers: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="OPEN CLOSE", help="The texts around the model's thoughts, if they are unusual."),
    ] = None,
    model: Annotated[
        str | None, _named(help="The model's name. If the file has answers of several: which to read.")
    ] = None,
    questions: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="Where the questions and reference answers are, if FILE has only their ids: a question file or the "
            "input of a batch. May be given several times.",
        ),
    ] = None,
    question_column: Annotated[str | None, _named(help="Column of the questions.")] = None,
    answer_column: Annotated[
        str | None,
        _named(help="Column of the model's answers: one per row, or a list. NAME also stands for NAME_1, NAME_2, ..."),
    ] = None,
    sample_column: Annotated[str | None, _named(help="Column that numbers the answers to one question.")] = None,
    answers_column: Annotated[str | None, _named(help="Column of the correct reference answers.")] = None,
    embedder: options.EmbedderOption = None,
    no_embedder: options.NoEmbedderOption = False,
    judge: options.JudgeOption = None,
    judge_prompt: options.JudgePromptOption = None,
    max_cost: options.MaxCostOption = None,
    yes: options.YesOption = False,
    quiet: options.QuietOption = False,
) -> None:
    """Read answers that another program drew, and score them.

    homogaudit's own format is JSON Lines, one question per line:

    {"question": "Who wrote Hamlet?", "answers": ["Shakespeare"],
    "greedy": "Shakespeare", "samples": ["Shakespeare", "Marlowe"]}

    These are read as well: tables with one answer per row or per column, logs
    of lm-evaluation-harness and inspect_ai, chat completions and batch outputs,
    vLLM outputs, promptfoo results, uqlm data frames. More about them in
    `homogaudit guide recorded`.
    """
    flags = dict(locals())
    from homogaudit.cli.consent import make_consent
    from homogaudit.cli.engine_job import carry_out
    from homogaudit.cli.error_line import warn
    from homogaudit.cli.report import check_drawn
    from homogaudit.launch.example import example_file
    from homogaudit.launch.requests import ScoreRequest
    from homogaudit.launch.score import check_score, plan_score
    from homogaudit.recordings import ImportOptions, QuestionList, read_recording
    from homogaudit.report.text import plain
    from homogaudit.signals.registry import SIGNALS
    from homogaudit.store.recorded import REDACTED, write_run
    from homogaudit.store.run_file import RunFile

    if (file is None) != example:
        raise UsageError("give a FILE or `--example`", "`homogaudit guide recorded` says what a FILE may be")
    file = file or example_file()
    if embedder is not None and no_embedder:
        raise UsageError("`--embedder` and `--no-embedder` exclude each other", "give one of them")
    if keep_thinking and think_markers is not None:
        raise UsageError("`--keep-thinking` and `--think-markers` exclude each other", "give one of them")
    asked = QuestionList.read(questions or ())
    options = ImportOptions(question_column, answer_column, sample_column, answers_column, model, asked)
    parser = None if keep_thinking else partial(_parse_answer, markers=think_markers)
    recording = read_recording(file, parse_answer=parser, options=options)
    recorded = recording.file
    redacted = recorded.header_extra.get(REDACTED)
    if redacted is not None and embedder is not None:
        raise UsageError(
            f"`{file}` has no texts, so `--embedder` has nothing to compare", "leave it out: the clusters came with it"
        )
    name = model or recorded.model or file.stem
    path = output or new_run_path(runs_folder(), name, file.name)
    request = ScoreRequest.of(flags, run=path, use_embedder=not no_embedder and redacted is None)
    consent = make_consent(is_agreed=yes)
    # Refuses an unknown judge before anything is written.
    has_labels = any(record.label for record in recorded.records)
    check_score(request, [record.question for record in recorded.records], recorded=has_labels, consent=consent)
    summary, warnings = recording.summary, [*recording.warnings]
    if redacted is not None:
        warnings.append(
            f"the texts are left out: answers are called after their clusters by {redacted}, so refusals and other "
            "thresholds say nothing"
        )
    write_run(
        recorded,
        path,
        own_signals=SIGNALS.keys(),
        model=name,
        think_markers=think_markers,
        warnings=warnings,
        warn=warn,
    ).close()
    # It may be large, and scoring reads the run file.
    del recording, recorded
    shown = plain(shlex.quote(str(path)))
    if not quiet:
        typer.echo(plain(summary), err=True)
    for warning in warnings:
        warn(warning)
    try:
        plan = plan_score(request, warn, consent)
        carry_out(plan, is_agreed=yes or max_cost is not None, quiet=quiet)
    except HomogauditError:
        flags = {"--judge": judge, "--judge-prompt": judge_prompt, "--embedder": embedder}
        again = [shown, *(f"{flag} {plain(shlex.quote(str(value)))}" for flag, value in flags.items() if value)]
        again += ["--no-embedder"] if no_embedder else []
        typer.echo(f"imported but not scored: continue with `homogaudit score {' '.join(again)}`", err=True)
        raise
    typer.echo(plain(str(path)))
    with RunFile.open(path) as stored:
        check_drawn(stored)
    if not quiet:
        typer.echo(f"next: homogaudit report {shown}", err=True)


def export(
    run: options.RunArgument = None,
    output: Annotated[
        str, typer.Option("-o", "--output", metavar="FILE", help="The file to write; - for standard output.")
    ] = "-",
    force: ForceOption = False,
    signals: Annotated[
        bool, typer.Option("--signals", help="Write all signals, not only those that came with the answers.")
    ] = False,
    judge: Annotated[
        str | None,
        typer.Option(
            "--judge", metavar="JUDGE", help="Write the labels of this judge, or none; default: the run's own."
        ),
    ] = None,
    embeddings: Annotated[
        bool, typer.Option("--embeddings", help="Write the embeddings too, so that `import` needs no embedder.")
    ] = False,
    digits: Annotated[
        int | None,
        typer.Option("--digits", min=1, max=9, help="Significant digits of token figures; default: all."),
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", metavar="NAME", help="What to call the model, such as its Hugging Face id.")
    ] = None,
    preference_pairs: Annotated[
        bool,
        typer.Option(
            "--preference-pairs",
            help="Write pairs to train on instead, as TRL reads them: prompt, chosen and rejected are a question and "
            "its most dissimilar samples, one labelled correct and one incorrect.",
        ),
    ] = False,
    redact: Annotated[
        bool,
        typer.Option(
            "--redact",
            help="Leave out all texts too: questions, references, and answers, each of which is called after its "
            "cluster. Ids, categories, labels and figures stay, and with them the rate.",
        ),
    ] = False,
    redact_provenance: Annotated[
        bool,
        typer.Option(
            "--redact-provenance",
            help="Leave out paths, addresses, details of this machine, and keys of other formats. Questions and "
            "answers stay as they are.",
        ),
    ] = False,
) -> None:
    """Write the answers of a run as JSON Lines that `import` reads.

    A FILE that ends in .gz is compressed.
    """
    from homogaudit.report.homogenization import primary_name, run_methods
    from homogaudit.report.labels import choose_judge
    from homogaudit.report.numbers import count
    from homogaudit.report.text import plain
    from homogaudit.store.recorded import ExportOptions
    from homogaudit.store.run_file import RunFile

    if redact and embeddings:
        raise UsageError(
            "`--redact` and `--embeddings` exclude each other", "an embedding tells much of the text that it is of"
        )
    others = (signals, embeddings, redact, redact_provenance, digits is not None, model is not None)
    if preference_pairs and any(others):
        raise UsageError("`--preference-pairs` writes nothing but pairs", "it goes with `--judge`, `-o` and `--force`")
    path = find_run(run, runs_folder())
    # Looked at before the run is opened: it may be the same file, and then its locks would be lost.
    target = check_targets({"--output": output}, force=force).get("--output")
    with RunFile.open(path) as opened:
        if opened.status != "complete":
            typer.echo(f"the run `{plain(path.name)}` is not complete; only what is there is exported", err=True)
        if (audited := opened.audited_alone()) is not None:
            told = f"only the {count(len(audited))} audited of {count(len(opened))} questions are exported"
            rest = "; `run ... --rate-only --continue` draws the rest"
            typer.echo(f"the run `{plain(path.name)}` is for the rate alone: {told}{rest}", err=True)
        labels = None if judge == "none" else choose_judge(opened, judge)
        methods = run_methods(opened)
        options = ExportOptions(
            labels,
            signals,
            embeddings,
            digits,
            model,
            redact_provenance,
            texts=not redact,
            clustering=methods.get(primary_name(methods) or ""),
        )
        write = _pairs(opened, labels) if preference_pairs else _answers(opened, options)
        if target is None:
            _export_to_stdout(write)
        else:
            _export_to_file(target, write)


def _parse_answer(text: str, markers: tuple[str, str] | None = None) -> "ParsedAnswer":
    """Return the answer of a recorded text, thinking left out: in the usual markers, or in those that are named."""
    from homogaudit.questions.thinking import split_thinking
    from homogaudit.records import Prompting

    prompting = Prompting() if markers is None else Prompting(think_open=markers[0], think_close=markers[1])
    return split_thinking(text, prompting, False)


def _answers(run: "RunFile", options: "ExportOptions") -> "Callable[[TextIO], object]":
    """Return what writes the answers of a run."""
    from homogaudit.store.recorded import export_run

    return partial(export_run, run, parse_answer=_parse_answer, options=options)


def _pairs(run: "RunFile", judge: str | None) -> "Callable[[TextIO], object]":
    """Return what writes the preference pairs of a run, and say how many there are and why not more."""
    from homogaudit.report.numbers import count
    from homogaudit.report.preference_pairs import preference_pairs
    from homogaudit.report.run_data import read_run
    from homogaudit.report.text import plain

    found = preference_pairs(read_run(run), judge)
    of = len(found.pairs) + sum(found.left_out.values())
    reasons = [f"{reason}: {count(questions)}" for reason, questions in found.left_out.items()]
    told = f"{count(len(found.pairs))} pairs of {count(of)} questions, labelled by `{found.judge}`, most dissimilar by "
    typer.echo("; ".join([plain(f"{told}`{found.clustering}`"), *reasons]), err=True)
    return lambda stream: stream.writelines(pair.line() for pair in found.pairs)


def _export_to_stdout(write: "Callable[[TextIO], object]") -> None:
    # The format is UTF-8 whatever the locale says.
    stream = typer.get_text_stream("stdout", encoding="utf-8")
    write(stream)
    stream.flush()


def _export_to_file(target: Path, write: "Callable[[TextIO], object]") -> None:
    from homogaudit.store.output_file import replacing

    with replacing(target) as draft, ExitStack() as files:
        file = files.enter_context(draft.open("wb"))
        if target.suffix == ".gz":
            from gzip import GzipFile

            # Without name and time, so that the same run gives the same file.
            file = files.enter_context(GzipFile("", "wb", fileobj=file, mtime=0))
        write(files.enter_context(TextIOWrapper(file, encoding="utf-8", newline="\n")))
