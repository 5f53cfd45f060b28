"""How far free features point to wrong answers: the pointer model on what a run stores."""

import numpy as np
from numpy.typing import NDArray

from homogaudit.cascade.pointer import PointerModel, free_features, pointer_model
from homogaudit.errors import UndefinedStatisticError
from homogaudit.report.cascade_records import Pointer
from homogaudit.report.run_data import RunData
from homogaudit.report.signal_scores import LabelledScores
from homogaudit.report.undefined import Undefined, undefined


def pointer_figures(data: RunData, scores: LabelledScores, *, warning: str | None, seed: int) -> Pointer | Undefined:
    """Return the section `pointer` of the report, over the labelled questions whose token entropies are stored.

    Args:
        data: Of the run; its token arrays and question embeddings are read.
        scores: The labelled questions.
        warning: Why the labels carry no figure; there is then none here.
        seed: Of the folds.
    """
    if warning is not None:
        return Undefined(warning)
    texts: list[str] = []
    rows: list[NDArray[np.float64]] = []
    incorrect: list[bool] = []
    labels = dict(zip(scores.question_ids, scores.incorrect.tolist(), strict=True))
    for draws in data.run.sample_sets(scores.question_ids, samples=False):
        greedy = draws.greedy
        entropies = None if greedy is None else greedy.statistics.of_answer(greedy.statistics.entropies)
        if greedy is None or entropies is None:
            continue
        try:
            rows.append(free_features(draws.question.text, greedy.answer, entropies))
        except UndefinedStatisticError:
            # An answer without a finite entropy for each token leaves its question out, as for every token signal.
            continue
        texts.append(draws.question.text)
        incorrect.append(labels[draws.question.id])
    if not rows:
        return Undefined("the token entropies of the greedy answers are not stored")
    features, positive = np.stack(rows), np.array(incorrect)
    try:
        plain = pointer_model(features, positive, seed=seed)
    except UndefinedStatisticError as error:
        return undefined(error)
    embedded = _with_embeddings(data, texts, features, positive, seed)
    return Pointer(
        n=plain.n,
        positives=plain.positives,
        auroc=plain.auroc,
        auroc_with_embeddings=embedded if isinstance(embedded, Undefined) else embedded.auroc,
        components=0 if isinstance(embedded, Undefined) else embedded.components,
        coefficients=dict(zip(plain.features, plain.coefficients, strict=True)),
    )


def _with_embeddings(
    data: RunData, texts: list[str], features: NDArray[np.float64], positive: NDArray[np.bool_], seed: int
) -> PointerModel | Undefined:
    key = data.scoring and data.scoring.embedder_source and data.scoring.embedder_source.key
    vectors = data.run.embeddings(key, texts) if isinstance(key, str) else {}
    if not vectors:
        return Undefined("no question embeddings are stored")
    missing = sum(text not in vectors for text in texts)
    if missing:
        return Undefined(f"{missing} of {len(texts)} questions have no stored embedding")
    try:
        return pointer_model(features, positive, np.stack([vectors[text] for text in texts]), seed=seed)
    except UndefinedStatisticError as error:
        return undefined(error)
