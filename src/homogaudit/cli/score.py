"""`homogaudit score RUN`: new labels, embeddings, clusterings and signals on stored generations."""

from homogaudit.cli.options import (
    ClusteringOption,
    DensityPoolOption,
    EmbedderOption,
    JsonOption,
    JudgeOption,
    JudgePromptOption,
    MaxCostOption,
    ModelsOption,
    NliOption,
    NliQuestionOption,
    NoEmbedderOption,
    QuietOption,
    RunArgument,
    SignalsOption,
    YesOption,
    split_names,
)

__all__ = ["score"]


def score(
    run: RunArgument = None,
    judge: JudgeOption = None,
    judge_prompt: JudgePromptOption = None,
    embedder: EmbedderOption = None,
    no_embedder: NoEmbedderOption = False,
    nli: NliOption = None,
    nli_question: NliQuestionOption = False,
    clustering: ClusteringOption = None,
    signals: SignalsOption = None,
    density_pool: DensityPoolOption = None,
    max_cost: MaxCostOption = None,
    yes: YesOption = False,
    models_file: ModelsOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Score the stored answers of a run again, without its model.

    What you leave out is done as in the last scoring. Prints the report.
    """
    from homogaudit.cli.engine_job import score_run
    from homogaudit.cli.error_line import after_report, warn
    from homogaudit.cli.report import check_complete, check_drawn, print_report
    from homogaudit.config import load_models, load_settings
    from homogaudit.launch.run_paths import find_run
    from homogaudit.store import RunFile
    from homogaudit.store.journals import missing_journal

    named = load_models(models_file)
    path = find_run(run, load_settings(named).runs)
    if not quiet and (line := missing_journal(path)):
        warn(line)
    score_run(
        path,
        judge=judge,
        judge_prompt=judge_prompt,
        embedder=embedder,
        use_embedder=not no_embedder,
        nli=nli,
        nli_question=nli_question,
        clusterings=clustering or (),
        signals=split_names(signals),
        density_pool=density_pool,
        quiet=quiet,
        models=named,
        max_cost=max_cost,
        is_agreed=yes,
    )
    with RunFile.open(path) as stored:
        print_report(stored, as_json=as_json)
        with after_report(as_json=as_json):
            check_drawn(stored)
            check_complete(stored)
