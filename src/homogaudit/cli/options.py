"""Flags that several commands share, so that they look the same everywhere."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "QUESTIONS",
    "ClusteringOption",
    "ContextOption",
    "DensityPoolOption",
    "JsonOption",
    "JudgePromptOption",
    "MaxScrOption",
    "ModelsOption",
    "NliOption",
    "NliQuestionOption",
    "QuietOption",
    "RunArgument",
    "SignalsOption",
    "WithChoicesOption",
    "split_names",
]

QUESTIONS = "Questions"
"""The heading of the flags about the question file."""

RunArgument = Annotated[
    str | None, typer.Argument(metavar="RUN", help="A run file or the name of a run; default: the newest run.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
QuietOption = Annotated[bool, typer.Option("-q", "--quiet", help="No progress.")]
ModelsOption = Annotated[
    Path | None,
    typer.Option("--models", metavar="FILE", help="A models.toml that lies over the packaged one."),
]
MaxScrOption = Annotated[
    float | None,
    typer.Option("--max-scr", help="Exit with 1 where the primary SCR is above this, or the audit is invalid."),
]
ContextOption = Annotated[
    str,
    typer.Option("--context", help="ask or hide the text that a question comes with.", rich_help_panel=QUESTIONS),
]
WithChoicesOption = Annotated[
    bool,
    typer.Option("--with-choices", help="Ask the choices of a question, with letters.", rich_help_panel=QUESTIONS),
]
SignalsOption = Annotated[
    str | None,
    typer.Option(
        "--signals",
        metavar="NAMES",
        help="Signals or cost classes to compute, such as free,density,p_true; default: all.",
    ),
]
ClusteringOption = Annotated[
    list[str] | None,
    typer.Option(
        "--clustering",
        metavar="SPEC",
        help="Similarity, threshold and linkage in place of a default, such as jaccard=0.2/leader; may be repeated.",
    ),
]
NliOption = Annotated[
    str | None,
    typer.Option(
        "--nli",
        metavar="NAME",
        help="An NLI model to cluster by entailment too: a name of models.toml, a folder, a Hugging Face id, or none.",
    ),
]
NliQuestionOption = Annotated[
    bool, typer.Option("--nli-question", help="The NLI model reads the question before each answer.")
]
DensityPoolOption = Annotated[
    Path | None,
    typer.Option(
        "--density-pool",
        metavar="FILE",
        help="Known questions that `density` measures against; default: the run's others.",
    ),
]
JudgePromptOption = Annotated[
    Path | None,
    typer.Option("--judge-prompt", metavar="FILE", help="A Jinja template of what a model that judges is asked."),
]
MaxCostOption = Annotated[
    float | None,
    typer.Option("--max-cost", help="Refuse to ask servers for more than this; their prices are those of models.toml."),
]
YesOption = Annotated[
    bool, typer.Option("--yes", help="Agree to what costs money, and to servers that only a file names.")
]


def split_names(text: str | None) -> tuple[str, ...]:
    """Return the names of a list with commas; empty where the flag was left out."""
    return tuple(name.strip() for name in (text or "").split(",") if name.strip())
