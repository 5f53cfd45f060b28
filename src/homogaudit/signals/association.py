"""B4, `association`: how far apart the entities of one question lie. It knows entities as texts, not what they are."""

import numpy as np

from homogaudit.clustering.similarity import cosine_similarity
from homogaudit.errors import UndefinedStatisticError
from homogaudit.signals.inputs import Unavailable
from homogaudit.signals.run_inputs import RunInputs


def association(inputs: RunInputs) -> dict[str, float | Unavailable]:
    """Return the mean pairwise cosine distance of each question's entities.

    Every distinct entity of the run is embedded once; the cost is linear in the questions.

    Source: arXiv 2603.24124 (B4).
    """
    if inputs.embed is None:
        raise UndefinedStatisticError("there is no embedder")
    found = {question.id: tuple(dict.fromkeys(inputs.extract_entities(question.text))) for question in inputs.questions}
    compared = {question_id: names for question_id, names in found.items() if len(names) >= 2}
    rows = {name: row for row, name in enumerate(dict.fromkeys(name for names in compared.values() for name in names))}
    vectors = np.asarray(inputs.embed(list(rows))) if rows else np.zeros((0, 1))
    values: dict[str, float | Unavailable] = {}
    for question_id, names in found.items():
        if question_id in compared:
            cosines = cosine_similarity(vectors[[rows[name] for name in names]])
            values[question_id] = 1.0 - float(cosines[np.triu_indices(len(names), 1)].mean())
        else:
            values[question_id] = Unavailable(
                "one entity has no distance" if names else "no entity was found in the question"
            )
    return values
