"""`homogaudit calibrate EMBEDDER`: the cosine from which a pair of answers counts as one meaning.

Knows flags; how a threshold is found, statistics knows.
"""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from homogaudit.cli import completion
from homogaudit.cli.options import JsonOption, ModelsOption, YesOption

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from homogaudit.clustering.answer_pairs import AnswerPair, AnswerPairs
    from homogaudit.events import JobEmbedder
    from homogaudit.launch.meaning_calibration import MeaningThreshold
    from homogaudit.launch.pair_measures import MeasuredMethod
    from homogaudit.statistics.pair_threshold import PairThreshold
    from homogaudit.statistics.rates import Rate

_TRANSFER = (
    "A threshold for pairs does not transfer exactly to average linkage, which joins clusters by the mean of their "
    "pairs."
)


def calibrate(
    embedder: Annotated[
        str | None,
        typer.Argument(
            metavar="EMBEDDER",
            help="A name from `homogaudit models`, a folder, or a Hugging Face id; default: the one in use.",
            autocompletion=completion.embedders,
        ),
    ] = None,
    pairs: Annotated[
        Path | None,
        typer.Option("--pairs", metavar="FILE", help="Answer pairs to calibrate on; default: the packaged ones."),
    ] = None,
    meaning: Annotated[
        str | None,
        typer.Option(
            "--meaning",
            metavar="MODEL",
            help="Calibrate this model of meaning instead: from which probability of Yes it joins two answers.",
        ),
    ] = None,
    yes: YesOption = False,
    models_file: ModelsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find the similarity from which answers count as the same.

    It is the lowest cosine similarity that joins at most 5% of the answer pairs
    with different meanings. Later scorings report the single-cluster rate at it
    too. A second table says how well each clustering tells meaning apart.

    With `--meaning MODEL` the model is asked about the pairs that the embedder
    leaves open. Later scorings with the model go by what is found.
    """
    from homogaudit.cli.error_line import warn
    from homogaudit.clustering.answer_pairs import load_answer_pairs, pair_cosines
    from homogaudit.clustering.load_embedder import load_embedder
    from homogaudit.clustering.meaning_fit import subjects_of
    from homogaudit.config import Trust, load_models, load_settings, resource
    from homogaudit.config.thresholds import CalibratedThreshold, store_threshold
    from homogaudit.errors import UsageError
    from homogaudit.launch.embedder_choice import resolve_job_embedder
    from homogaudit.launch.pair_measures import RememberingEmbedder, measure
    from homogaudit.statistics.pair_threshold import pair_threshold

    named = load_models(models_file)
    settings = load_settings(named, embedder=embedder)
    trust = Trust(named.named_sources, tell=warn)
    chosen, reason = resolve_job_embedder(
        settings.embedder, named, wanted=True, trust=trust, found_in=settings.embedder_found_in
    )
    if chosen is None:
        raise UsageError(f"no embedder: {reason}", "`homogaudit models` lists embedders by name")
    file = load_answer_pairs(resource("samples") / "answer_pairs.jsonl" if pairs is None else pairs)
    if meaning is not None:
        _calibrate_meaning(meaning, file, chosen, embedder, models_file, is_agreed=yes, as_json=as_json)
        return
    model = RememberingEmbedder(load_embedder(chosen, trust.key_origins))
    cosines = pair_cosines(file.pairs, model)
    found = pair_threshold(cosines, [pair.same for pair in file.pairs], subjects_of(file.pairs))
    merges = cosines >= found.threshold
    merged_by_kind = _rates(file.pairs, merges, same=False)
    split_by_kind = _rates(file.pairs, ~merges, same=True)
    measured = measure(file, model, chosen.key)
    stored = store_threshold(
        chosen.key,
        CalibratedThreshold(
            embedder=chosen.name,
            threshold=found.threshold,
            low=found.interval.low if found.interval else None,
            high=found.interval.high if found.interval else None,
            pairs=len(file.pairs),
            pairs_sha256=file.sha256,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
        ),
    )
    if as_json:
        document = _document(chosen, found, merged_by_kind, split_by_kind, file.sha256, stored)
        clusterings = {name: _told(x) for name, x in measured.items()}
        typer.echo(json.dumps(document | {"clusterings": clusterings}, indent=2))
    else:
        _print(chosen, found, merged_by_kind, split_by_kind, stored)
        _print_clusterings(measured)


def _calibrate_meaning(
    meaning: str,
    file: "AnswerPairs",
    chosen: "JobEmbedder",
    embedder: str | None,
    models_file: Path | None,
    *,
    is_agreed: bool,
    as_json: bool,
) -> None:
    """Ask a model about the open pairs, and store from which probability of yes a pair counts as one meaning."""
    from tempfile import TemporaryDirectory

    from homogaudit.cli.consent import make_consent
    from homogaudit.cli.engine_job import carry_out
    from homogaudit.cli.error_line import warn
    from homogaudit.clustering.meaning import shipped_fit
    from homogaudit.config.thresholds import CalibratedThreshold, store_threshold
    from homogaudit.errors import UsageError
    from homogaudit.launch.meaning_calibration import meaning_threshold, write_pairs
    from homogaudit.launch.requests import ScoreRequest
    from homogaudit.launch.score import plan_score

    fit = shipped_fit(chosen.key)
    if fit is None:
        raise UsageError(f"`{chosen.name}` leaves no pairs open", "`--meaning` needs the default embedder")
    with TemporaryDirectory(prefix="homogaudit-") as folder:
        path = Path(folder) / "pairs.audit"
        write_pairs(file, path)
        request = ScoreRequest(
            path,
            judge="none",
            meaning=meaning,
            embedder=embedder,
            signals=("response_length",),
            models_file=models_file,
        )
        plan = plan_score(request, warn, make_consent(is_agreed=is_agreed))
        carry_out(plan, is_agreed=is_agreed, quiet=as_json)
        model = plan.job.scoring.meaning_source
        assert model is not None
        found = meaning_threshold(file, path, model)
    stored = store_threshold(
        fit.key(chosen.key, model.key),
        CalibratedThreshold(
            embedder=model.name,
            threshold=found.threshold,
            low=found.interval.low if found.interval else None,
            high=found.interval.high if found.interval else None,
            pairs=int(found.asked.sum()),
            pairs_sha256=file.sha256,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
        ),
    )
    if as_json:
        document = {
            "schema": "homogaudit.calibration/1",
            "embedder_key": chosen.key,
            "pairs_sha256": file.sha256,
            "meaning": model.name,
            "threshold": found.threshold,
            "interval": None if found.interval is None else asdict(found.interval),
            "pairs": len(file.pairs),
            "asked": int(found.asked.sum()),
            **asdict(found.separation),
            "stored": str(stored),
        }
        typer.echo(json.dumps(document, indent=2))
        return
    _print_meaning(model.name, found, len(file.pairs), stored)


def _print_meaning(name: str, found: "MeaningThreshold", pairs: int, stored: Path) -> None:
    from homogaudit.report.numbers import count, decimal, decimal_and_interval, percent_and_interval
    from homogaudit.report.text import plain

    ends = f" [{decimal(found.interval.low)}, {decimal(found.interval.high)}]" if found.interval else ""
    measured = found.separation
    lines = [
        f"{plain(name)}: joins from a probability of Yes of {decimal(found.threshold)}{ends}",
        f"asked about {count(int(found.asked.sum()))} of {count(pairs)} pairs, which the embedder leaves open; on them",
        f"  AUROC           {decimal_and_interval(measured.auroc)}",
        f"  wrongly joined  {percent_and_interval(measured.false_merges)}",
        f"  wrongly parted  {percent_and_interval(measured.false_splits)}",
        "An AUROC whose interval holds 0.5 is no better than chance: the model adds noise.",
        f"Stored in {plain(str(stored))}; `homogaudit score RUN --meaning MODEL` goes by it.",
    ]
    typer.echo("\n".join(lines))


def _rates(pairs: "Sequence[AnswerPair]", wrong: "NDArray[np.bool_]", *, same: bool) -> "dict[str, Rate]":
    """Return for each kind how many of its pairs of one meaning, or of different ones, are judged wrongly."""
    from homogaudit.clustering.answer_pairs import KINDS
    from homogaudit.statistics.rates import wilson

    by_kind = {
        kind: [bool(w) for w, pair in zip(wrong, pairs, strict=True) if pair.kind == kind and pair.same == same]
        for kind in KINDS
    }
    return {kind: wilson(sum(found), len(found)) for kind, found in by_kind.items() if found}


def _document(
    embedder: "JobEmbedder",
    found: "PairThreshold",
    merged_by_kind: "dict[str, Rate]",
    split_by_kind: "dict[str, Rate]",
    sha256: str,
    stored: Path,
) -> dict[str, Any]:
    return {
        "schema": "homogaudit.calibration/1",
        "embedder": embedder.name,
        "embedder_key": embedder.key,
        "pairs_sha256": sha256,
        **asdict(found),
        "merged_by_kind": {kind: asdict(rate) for kind, rate in merged_by_kind.items()},
        "split_by_kind": {kind: asdict(rate) for kind, rate in split_by_kind.items()},
        "note": _TRANSFER,
        "stored": str(stored),
    }


def _print(
    embedder: "JobEmbedder",
    found: "PairThreshold",
    merged_by_kind: "dict[str, Rate]",
    split_by_kind: "dict[str, Rate]",
    stored: Path,
) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from homogaudit.report.numbers import decimal, percent, percent_interval
    from homogaudit.report.text import plain

    console = Console(highlight=False)
    interval = f" [{decimal(found.interval.low)}, {decimal(found.interval.high)}]" if found.interval else ""
    console.print(Text(plain(f"{embedder.name}: threshold {decimal(found.threshold)}{interval}"), style="bold"))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="underline")
    table.add_column("pairs")
    for head in ("rate", "95% interval", "of"):
        table.add_column(head, justify="right")
    rows = {
        "different meaning, merged": found.false_merges,
        "one meaning, not merged": found.false_splits,
        "different meaning, merged (held out)": found.held_out_false_merges,
        "one meaning, not merged (held out)": found.held_out_false_splits,
        **{f"{kind}, merged": rate for kind, rate in merged_by_kind.items()},
        **{f"{kind}, not merged": rate for kind, rate in split_by_kind.items()},
    }
    for name, rate in rows.items():
        table.add_row(name, percent(rate.value), percent_interval(rate.low, rate.high), str(rate.n))
    console.print(table)
    console.print(Text(_TRANSFER))
    console.print(
        Text(f"Stored in {plain(str(stored))}; `homogaudit score RUN` reports SCR at it beside its own threshold.")
    )


def _told(measured: "MeasuredMethod") -> dict[str, Any]:
    gain = None if measured.gain is None else asdict(measured.gain)
    return {"threshold": measured.method.threshold, **asdict(measured.separation), "auroc_gain": gain}


def _print_clusterings(measured: "Mapping[str, MeasuredMethod]") -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from homogaudit.report.numbers import decimal_and_interval, percent_and_interval

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="underline")
    table.add_column("clustering")
    for head in ("at", "AUROC", "wrongly joined", "wrongly parted"):
        table.add_column(head, justify="right")
    for name, x in measured.items():
        found = x.separation
        rates = (percent_and_interval(found.false_merges), percent_and_interval(found.false_splits))
        table.add_row(name, f"{x.method.threshold:g}", decimal_and_interval(found.auroc), *rates)
    console = Console(highlight=False)
    console.print()
    console.print(table)
    console.print(Text("Nothing was fitted to the subject of a pair; intervals are over subjects."))
