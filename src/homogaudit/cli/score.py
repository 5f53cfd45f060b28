"""`homogaudit score RUN`: new labels, embeddings, clusterings and signals on stored generations."""

from homogaudit.cli import options

__all__ = ["score"]


def score(
    run: options.RunArgument = None,
    judge: options.JudgeOption = None,
    judge_prompt: options.JudgePromptOption = None,
    embedder: options.EmbedderOption = None,
    no_embedder: options.NoEmbedderOption = False,
    nli: options.NliOption = None,
    nli_question: options.NliQuestionOption = False,
    clustering: options.ClusteringOption = None,
    signals: options.SignalsOption = None,
    density_pool: options.DensityPoolOption = None,
    max_cost: options.MaxCostOption = None,
    yes: options.YesOption = False,
    models_file: options.ModelsOption = None,
    as_json: options.JsonOption = False,
    quiet: options.QuietOption = False,
) -> None:
    """Score the stored answers of a run again, without its model.

    What you leave out is done as in the last scoring. Prints the report.
    """
    from homogaudit.cli.consent import make_consent
    from homogaudit.cli.engine_job import carry_out
    from homogaudit.cli.error_line import after_report, warn
    from homogaudit.cli.report import check_complete, check_drawn, print_report
    from homogaudit.config import load_models, load_settings
    from homogaudit.launch.requests import ScoreRequest
    from homogaudit.launch.run_paths import find_run
    from homogaudit.launch.score import plan_score
    from homogaudit.store import RunFile
    from homogaudit.store.journals import missing_journal

    path = find_run(run, load_settings(load_models(models_file)).runs)
    if line := missing_journal(path):
        warn(line)
    request = ScoreRequest(
        path,
        judge=judge,
        judge_prompt=judge_prompt,
        embedder=embedder,
        use_embedder=not no_embedder,
        nli=nli,
        nli_question=nli_question,
        clusterings=tuple(clustering or ()),
        signals=options.split_names(signals),
        density_pool=density_pool,
        max_cost=max_cost,
        models_file=models_file,
    )
    plan = plan_score(request, warn, make_consent(is_agreed=yes))
    carry_out(plan, is_agreed=yes or max_cost is not None, quiet=quiet)
    with RunFile.open(path) as stored:
        print_report(stored, as_json=as_json)
        with after_report(as_json=as_json):
            check_drawn(stored)
            check_complete(stored)
