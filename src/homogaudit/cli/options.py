"""Flags that several commands share, so that they look the same everywhere."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["ClusteringOption", "JsonOption", "MaxScrOption", "ModelsOption", "QuietOption", "RunArgument"]

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
ClusteringOption = Annotated[
    list[str] | None,
    typer.Option(
        "--clustering",
        metavar="SPEC",
        help="Similarity, threshold and linkage in place of a default, such as jaccard=0.2/leader; may be repeated.",
    ),
]
