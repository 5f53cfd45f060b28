"""`homogaudit score RUN`: new labels, embeddings, clusterings and signals on stored generations."""

from pathlib import Path
from typing import Annotated

from homogaudit.cli import options
from homogaudit.cli.output import ForceOption


def score(
    run: options.RunArgument = None,
    judge: options.JudgeOption = None,
    judge_prompt: options.JudgePromptOption = None,
    embedder: options.EmbedderOption = None,
    no_embedder: options.NoEmbedderOption = False,
    nli: options.NliOption = None,
    nli_question: options.NliQuestionOption = None,
    meaning: options.MeaningOption = None,
    clustering: options.ClusteringOption = None,
    signals: options.SignalsOption = None,
    density_pool: options.DensityPoolOption = None,
    label_clusters: Annotated[
        Path | None,
        options.scoring(
            "--label-clusters",
            metavar="FILE",
            help="Whole questions judged by a person: JSON Lines with id and one_meaning, or CSV with id and label; "
            "`report --sample-clusters` writes a sample to judge.",
        ),
    ] = None,
    max_cost: options.MaxCostOption = None,
    yes: options.YesOption = False,
    models_file: options.ModelsOption = None,
    max_scr: options.MaxScrOption = None,
    min_auroc: options.MinAurocOption = None,
    max_missed: options.MaxMissedOption = None,
    no_worse_than: options.NoWorseThanOption = None,
    margin: options.MarginOption = None,
    fail_on: options.FailOnOption = None,
    gate_on: options.GateOnOption = "interval",
    junit: options.JunitOption = None,
    force: ForceOption = False,
    as_json: options.JsonOption = False,
    quiet: options.QuietOption = False,
) -> None:
    """Score the stored answers of a run again, without its model.

    What you leave out is done as in the last scoring. Prints the report.
    """
    flags = dict(locals())
    from homogaudit.cli.consent import make_consent
    from homogaudit.cli.engine_job import carry_out
    from homogaudit.cli.error_line import ignore, warn
    from homogaudit.cli.gates import check_earlier_run, check_junit, check_signals, read_gates
    from homogaudit.cli.report import report_done
    from homogaudit.config import load_models, load_settings
    from homogaudit.launch.cluster_labels import read_cluster_labels, store_cluster_labels
    from homogaudit.launch.requests import ScoreRequest
    from homogaudit.launch.run_paths import find_run
    from homogaudit.launch.score import plan_score
    from homogaudit.store import RunFile
    from homogaudit.store.journals import missing_journal

    gates = read_gates(flags)
    junit_file = check_junit(junit, force=force)
    path = find_run(run, load_settings(load_models(models_file)).runs)
    if line := missing_journal(path):
        warn(line)
    labels = None
    with RunFile.open(path) as stored:
        check_signals(gates, stored.signal_names())
        check_earlier_run(gates, stored)
        if label_clusters is not None:
            labels = read_cluster_labels(label_clusters, stored)
    request = ScoreRequest.of(
        flags,
        run=path,
        use_embedder=not no_embedder,
        clusterings=tuple(clustering or ()),
        signals=options.split_names(signals),
    )
    plan = plan_score(request, warn, make_consent(is_agreed=yes), note=ignore if quiet else warn)
    carry_out(plan, is_agreed=yes or max_cost is not None, quiet=quiet)
    if labels is not None:
        store_cluster_labels(path, labels)
    report_done(path, as_json=as_json, quiet=quiet, gates=gates, junit=junit_file)
