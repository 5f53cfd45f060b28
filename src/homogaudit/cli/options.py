"""Arguments and flags that several commands share, so that they look the same everywhere."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from homogaudit.cli import completion

drawing = partial(typer.Option, rich_help_panel="Drawing")
asking = partial(typer.Option, rich_help_panel="Questions")
scoring = partial(typer.Option, rich_help_panel="Scoring")
gating = partial(typer.Option, rich_help_panel="Gates")

ExampleOption = Annotated[
    bool, typer.Option("--example", help="Use the example that ships with homogaudit; needs no model and no network.")
]
RunArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="RUN", help="A run file, or the name of a run; default: the newest run.", autocompletion=completion.runs
    ),
]
QuestionsArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="QUESTIONS",
        help="A question file, or a packaged sample such as `factual`; default: misconceptions.",
        autocompletion=completion.questions,
    ),
]
OutputOption = Annotated[
    Path | None,
    typer.Option("-o", "--output", metavar="RUN", help="The run file; default: a new one in the runs folder."),
]
PresetOption = Annotated[
    str | None,
    drawing(
        "--preset",
        help="quick (20 questions, 5 samples, 40 tokens, no signal that asks the model about its answers or "
        "embeds them word by word unless --signals says so), standard (10 samples, 100 tokens), or paper (10 samples "
        "of 40 tokens, greedy answers of 200).",
    ),
]
SamplesOption = Annotated[
    int | None,
    drawing("-n", "--samples", help="Samples per question (N), at least 2."),
]
TemperatureOption = Annotated[float | None, drawing("--temperature", help="Sampling temperature; default: 1.")]
MaxTokensOption = Annotated[int | None, drawing("--max-tokens", help="Longest answer, in tokens.")]
SeedOption = Annotated[
    int,
    drawing(
        "--seed",
        help="Seed of the random draws. With other `--slots`, or with and without `verbalized_confidence`, the same "
        "seed may draw other answers.",
    ),
]
LimitOption = Annotated[int | None, asking("--limit", help="Ask only the first so many questions.")]
UntilDecidedOption = Annotated[
    bool | None,
    asking(
        "--until-decided/--no-until-decided",
        help="Ask in random order, and stop once the level is decided, or whether the rate is at most `--max-scr`.",
    ),
]
RateOnlyOption = Annotated[
    bool | None,
    asking(
        "--rate-only",
        help="Draw a question no further once its first 3 samples lie apart: the single-cluster rate for about two "
        "thirds of the answers, and little else.",
    ),
]
AuditShareOption = Annotated[
    float | None,
    asking(
        metavar="SHARE",
        help="With `--rate-only`: share of the questions, chosen by the seed, that are drawn to the end all the same. "
        "More narrows the interval and saves less; default: 0.3.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
QuietOption = Annotated[bool, typer.Option("-q", "--quiet", help="Show no progress.")]
ModelsOption = Annotated[
    Path | None,
    typer.Option("--models", metavar="FILE", help="A models.toml of your own, which goes before the packaged one."),
]
MaxScrOption = Annotated[
    float | None,
    gating("--max-scr", help="Exit with 1 unless the interval of the single-cluster rate (SCR) ends at this or below."),
]
MinAurocOption = Annotated[
    list[str] | None,
    gating(
        "--min-auroc",
        metavar="SIGNAL=X",
        help="Exit with 1 unless the interval of the signal's AUROC begins at X or above. May be given several times.",
    ),
]
MaxMissedOption = Annotated[
    float | None,
    gating(
        "--max-missed",
        help="Exit with 1 unless the share of wrong answers on which all samples agree is shown to be at most this.",
    ),
]
NoWorseThanOption = Annotated[
    str | None,
    gating(
        "--no-worse-than",
        metavar="RUN",
        help="Exit with 1 unless the rate is shown to exceed that of RUN on the same questions by at most the margin.",
        autocompletion=completion.runs,
    ),
]
MarginOption = Annotated[
    float | None,
    gating("--margin", help="How much higher the rate may be than that of `--no-worse-than`; default: 0.05."),
]
FailOnOption = Annotated[
    str | None,
    gating("--fail-on", metavar="invalid", help="Exit with 1 if the audit is not valid; the other gates imply it."),
]
GateOnOption = Annotated[
    str,
    gating(
        "--gate-on",
        metavar="WHAT",
        help="What the gates go by: interval, or estimate, the figure alone however few the questions.",
    ),
]
JunitOption = Annotated[
    str | None, gating("--junit", metavar="FILE", help="Write what became of the gates as a JUnit file as well.")
]
ContextOption = Annotated[
    str,
    asking(
        "--context", help="ask or hide the passage that comes with a question; passages: ask its list of passages too."
    ),
]
WithChoicesOption = Annotated[
    bool,
    asking("--with-choices", help="Ask multiple-choice questions with their lettered choices."),
]
JudgeOption = Annotated[
    str | None,
    scoring(
        "--judge",
        metavar="JUDGE",
        help="Who labels the greedy answers: auto, overlap, exact, numeric, nearest, recorded, none, or a model, "
        "written model:NAME.",
        autocompletion=completion.judges,
    ),
]
JudgePromptOption = Annotated[
    Path | None,
    scoring("--judge-prompt", metavar="FILE", help="A Jinja template of what a model that judges is asked."),
]
EmbedderOption = Annotated[
    str | None,
    scoring(
        "--embedder",
        metavar="NAME",
        help="The embedder that compares answers by meaning: a name from `homogaudit models`, a folder, or a Hugging "
        "Face id.",
        autocompletion=completion.embedders,
    ),
]
NoEmbedderOption = Annotated[
    bool,
    scoring("--no-embedder", help="Compare answers by their words alone."),
]
NliOption = Annotated[
    str | None,
    scoring(
        "--nli",
        metavar="NAME",
        help="An NLI model, to cluster by entailment as well: a name from `homogaudit models`, a folder, a Hugging "
        "Face id, or none.",
        autocompletion=completion.nli_models,
    ),
]
NliQuestionOption = Annotated[
    bool | None,
    scoring(
        "--nli-question/--no-nli-question", help="Whether the NLI model reads the question before each answer; it does."
    ),
]
MeaningOption = Annotated[
    str | None,
    scoring(
        "--meaning",
        metavar="MODEL",
        help="A model that is asked whether two answers say the same where the embedder leaves it open: named as the "
        "model of a run is, or none.",
        autocompletion=completion.models,
    ),
]
ClusteringOption = Annotated[
    list[str] | None,
    scoring(
        "--clustering",
        metavar="SPEC",
        help="Replace a default clustering: similarity, threshold and linkage, such as jaccard=0.2/leader. May be "
        "given several times.",
    ),
]
SignalsOption = Annotated[
    str | None,
    scoring(
        "--signals",
        metavar="NAMES",
        help="Signals or cost classes to compute, separated by commas, such as free,density,p_true; default: all.",
    ),
]
DensityPoolOption = Annotated[
    Path | None,
    scoring(
        "--density-pool",
        metavar="FILE",
        help="Known questions that `density` compares with; default: the other questions of the run.",
    ),
]
MaxCostOption = Annotated[
    float | None,
    typer.Option(
        "--max-cost", help="Refuse to start if servers could cost more than this, at the prices in models.toml."
    ),
]
YesOption = Annotated[
    bool,
    typer.Option("--yes", "-y", help="Do not ask before spending money or contacting a server that only a file names."),
]


def split_names(text: str | None) -> tuple[str, ...]:
    """Return the names of a list with commas; empty where the flag was left out."""
    return tuple(name.strip() for name in (text or "").split(",") if name.strip())
