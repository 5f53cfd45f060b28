"""The signals that come with the project, each with what it declares of itself and what `homogaudit explain` says.

All are oriented so that higher is more uncertain. Whether one works is for statistics to say.
"""

from homogaudit.signals import calls, graph, token
from homogaudit.signals.association import association
from homogaudit.signals.density import density
from homogaudit.signals.freshness import freshness
from homogaudit.signals.grounding import grounding
from homogaudit.signals.importance import mars
from homogaudit.signals.likelihood import cocoa_signal, sar_signal, semantic_energy
from homogaudit.signals.sampling import semantic_entropy_of, semantic_entropy_rao_of, sindex
from homogaudit.signals.selfcheck import selfcheck_embedding, selfcheck_nli
from homogaudit.signals.signal import AnySignal, RunSignal, Signal

_ENTROPY_SOURCE = "arXiv 2603.24124 (B1); token entropy as uncertainty: Malinin and Gales, arXiv 2002.07650"
_LIKELIHOOD_SOURCE = "Malinin and Gales, arXiv 2002.07650 (length-normalised likelihood); arXiv 2603.24124"
_SEMANTIC_ENTROPY_SOURCE = "Farquhar et al., Nature 630 (2024); Kuhn et al., arXiv 2302.09664"
_ENTROPY_NEEDS = ("greedy_answer", "token_entropies")
_LIKELIHOOD_NEEDS = ("greedy_answer", "token_logprobs")

_GRAPH_SOURCE = "Lin et al., arXiv 2305.19187; lm-polygraph 0.7"
_PAIRS = ("samples", "sample_embeddings")
_GREEDY_AND_SAMPLES = ("greedy_answer", "samples", "sample_embeddings", "greedy_embedding")
_SAMPLES = frozenset({"samples"})
_EMBEDDED_SAMPLES = frozenset({"samples", "answer_embeddings"})
_READ_BY_CLUSTERING = {"embedding": "answer_embeddings", "meaning": "meaning", "entailment": "pair_scores"}
_SIMILARITY = "Similarity is the cosine, cut off below 0."

_CLUSTERS = {
    "jaccard": "clusters of surface wording (Jaccard index of word bigrams)",
    "embedding": "clusters of meaning (cosine of sentence embeddings)",
    "meaning": "clusters of meaning (how near two answers are, and what in them contradicts)",
    "entailment": "clusters of meaning (answers that entail each other by an NLI model)",
    "answer": "groups of equal final numbers",
}


def _semantic_entropies(clustering: str, clusters: str) -> tuple[Signal, Signal]:
    needs = ("samples", f"clustering_{clustering}")
    resources = _SAMPLES | {_READ_BY_CLUSTERING[clustering]} if clustering in _READ_BY_CLUSTERING else _SAMPLES
    return (
        Signal(
            f"semantic_entropy_{clustering}",
            "B1",
            "samples",
            needs,
            f"Entropy of the N sampled answers over {clusters}: -sum p_c ln p_c, where p_c is the share of the samples "
            "in cluster c. Exactly 0 where all samples form one cluster, at most ln N. Defined only where all N "
            "samples hold an answer.",
            _SEMANTIC_ENTROPY_SOURCE,
            semantic_entropy_of(clustering),
            resources,
        ),
        Signal(
            f"semantic_entropy_{clustering}_rao",
            "B1",
            "samples",
            (*needs, "sample_logprobs"),
            f"Semantic entropy over {clusters} with likelihoods for shares: -sum p_c ln p_c, where p_c is proportional "
            "to the sum of exp(mean token log-probability) over the samples in cluster c. Exactly 0 where all samples "
            "form one cluster.",
            "Kuhn et al., arXiv 2302.09664 (length-normalised, over the clusters that were drawn)",
            semantic_entropy_rao_of(clustering),
            resources,
        ),
    )


BUILT_IN: tuple[AnySignal, ...] = (
    Signal(
        "token_entropy_mean",
        "B1",
        "free",
        _ENTROPY_NEEDS,
        "Mean over the tokens of the greedy answer of H_t = -sum p ln p, the entropy in nats of the next-token "
        "distribution over the whole vocabulary. The primary signal: it needs no second answer.",
        _ENTROPY_SOURCE,
        token.token_entropy_mean,
    ),
    Signal(
        "token_entropy_max",
        "B1",
        "free",
        _ENTROPY_NEEDS,
        "Largest H_t over the tokens of the greedy answer: how unsure the model was where it was least sure.",
        _ENTROPY_SOURCE,
        token.token_entropy_max,
    ),
    Signal(
        "token_entropy_std",
        "B1",
        "free",
        _ENTROPY_NEEDS,
        "Standard deviation of H_t over the tokens of the greedy answer, dividing by their number (ddof 0).",
        _ENTROPY_SOURCE,
        token.token_entropy_std,
    ),
    Signal(
        "high_entropy_ratio",
        "B1",
        "free",
        _ENTROPY_NEEDS,
        "Share of the tokens of the greedy answer with H_t above twice the answer's own mean. It measures how uneven "
        "the entropy is, not how high.",
        "arXiv 2603.24124 (B1)",
        token.high_entropy_ratio,
    ),
    Signal(
        "negative_log_likelihood",
        "B1",
        "free",
        _LIKELIHOOD_NEEDS,
        "-mean ln p(token) over the tokens of the greedy answer, in nats a token: how surprising the model finds its "
        "own answer.",
        _LIKELIHOOD_SOURCE,
        token.negative_log_likelihood,
    ),
    Signal(
        "perplexity",
        "B1",
        "free",
        _LIKELIHOOD_NEEDS,
        "exp(negative log-likelihood) of the greedy answer. It ranks questions as negative_log_likelihood does, so "
        "that their AUROCs are equal.",
        _LIKELIHOOD_SOURCE,
        token.perplexity,
    ),
    Signal(
        "response_length",
        "B1",
        "free",
        ("greedy_answer", "token_count"),
        "Number of tokens of the greedy answer. A control: a signal that is no better than length has found length.",
        "arXiv 2603.24124 (length control)",
        token.response_length,
    ),
    *(signal for name, clusters in _CLUSTERS.items() for signal in _semantic_entropies(name, clusters)),
    Signal(
        "sindex",
        "B1",
        "samples",
        _PAIRS,
        "Entropy of embedding clusters weighted by their coherence: an answer joins the first cluster with a mean "
        "cosine distance of at most 0.05 to it; then -sum p' ln p', where p' is the cluster's share times the mean "
        "pairwise cosine inside it (1 for a single answer), not renormalised. Not 0 on one cluster of different "
        "answers.",
        "SINdex, arXiv 2503.05980",
        sindex,
        _EMBEDDED_SAMPLES,
    ),
    Signal(
        "selfcheck_embedding",
        "B1",
        "samples",
        _GREEDY_AND_SAMPLES,
        "1 - mean cosine of the greedy answer's embedding with those of the first 5 samples: how far the samples are "
        "from saying the same.",
        "SelfCheckGPT, Manakul et al., arXiv 2303.08896 (with sentence embeddings)",
        selfcheck_embedding,
        _EMBEDDED_SAMPLES | {"greedy"},
    ),
    Signal(
        "selfcheck_nli",
        "B1",
        "samples",
        ("greedy_answer", "samples", "pair_scores"),
        "Mean probability, by an NLI model, that one of the first 5 samples contradicts the greedy answer; the sample "
        "is the premise.",
        "SelfCheckGPT, Manakul et al., arXiv 2303.08896 (NLI; the answer whole, neutral kept apart)",
        selfcheck_nli,
        frozenset({"greedy", "samples", "pair_scores"}),
    ),
    Signal(
        "semantic_energy",
        "B1",
        "samples",
        (*_GREEDY_AND_SAMPLES, "sample_logits", "clustering_embedding"),
        "Energy of the samples that say what the greedy answer says: (1/N) sum of mean_t(-logit) over the samples of "
        "its cluster, from raw logits. The cluster is the one of the embedding clustering with the highest mean cosine "
        "to the greedy answer; not defined where that lies below the clustering's threshold. Only comparable within "
        "one model.",
        "Ma et al., arXiv 2508.14496",
        semantic_energy,
        _EMBEDDED_SAMPLES | {"greedy"},
    ),
    Signal(
        "num_semantic_sets",
        "B1",
        "samples",
        _PAIRS,
        "Number of groups of samples linked by entailment both ways; a cosine of at least 0.85 stands for it. At least "
        "1, at most N.",
        f"{_GRAPH_SOURCE} (NumSemSets), with embeddings in place of an entailment model",
        graph.num_semantic_sets_signal,
        _EMBEDDED_SAMPLES,
    ),
    Signal(
        "eigenvalue_laplacian",
        "B1",
        "samples",
        _PAIRS,
        "A number of semantic sets without a threshold: sum of max(0, 1 - lambda_k) over the eigenvalues of the "
        f"normalised Laplacian of the samples' similarities. {_SIMILARITY} 1 where all samples are alike.",
        f"{_GRAPH_SOURCE} (EigValLaplacian), with embeddings in place of an entailment model",
        graph.eigenvalue_laplacian_signal,
        _EMBEDDED_SAMPLES,
    ),
    Signal(
        "degree",
        "B1",
        "samples",
        _PAIRS,
        f"1 - mean similarity of the samples over all N x N pairs. {_SIMILARITY} 0 where all samples are alike.",
        f"{_GRAPH_SOURCE} (DegMat), with embeddings in place of an entailment model",
        graph.degree_signal,
        _EMBEDDED_SAMPLES,
    ),
    Signal(
        "eccentricity",
        "B1",
        "samples",
        _PAIRS,
        "Length of the centred eigenvectors, of eigenvalue below 0.9, of the normalised Laplacian of the samples' "
        f"similarities. {_SIMILARITY} 0 where all samples are alike. Coarse: it lies near the square roots of whole "
        "numbers.",
        f"{_GRAPH_SOURCE} (Eccentricity), with embeddings in place of an entailment model",
        graph.eccentricity_signal,
        _EMBEDDED_SAMPLES,
    ),
    Signal(
        "kernel_language_entropy",
        "B1",
        "samples",
        _PAIRS,
        "Von Neumann entropy, over ln N, of the heat kernel (t = 0.3) of the graph of the samples, whose edges weigh "
        f"twice their similarity. {_SIMILARITY} Above 0 even where all samples are alike, then the same for all "
        "questions.",
        "Nikitin et al., arXiv 2405.20003; lm-polygraph 0.7 (KernelLanguageEntropy), with embeddings in place of an "
        "entailment model",
        graph.kernel_language_entropy_signal,
        _EMBEDDED_SAMPLES,
    ),
    Signal(
        "cocoa",
        "B1",
        "samples",
        (*_GREEDY_AND_SAMPLES, "token_logprobs"),
        "Negative log-likelihood a token of the greedy answer times its mean distance from the samples, 1 - cosine "
        "(below 0 counts as 0): unsure and alone. 0 where all samples repeat the greedy answer.",
        "Vashurin et al., arXiv 2502.04964; lm-polygraph 0.7 (CocoaPPL)",
        cocoa_signal,
        _EMBEDDED_SAMPLES | {"greedy"},
    ),
    Signal(
        "sar",
        "B1",
        "samples",
        (*_PAIRS, "sample_logprobs"),
        "Mean over the samples of -ln(p_i + sum over the others of p_j similarity_ij / 0.001), p = exp(mean token "
        f"log-probability): low where likely samples say the same. {_SIMILARITY} All tokens weigh the same.",
        "Duan et al., arXiv 2307.01379; lm-polygraph 0.7 (SAR), with equal token relevance",
        sar_signal,
        _EMBEDDED_SAMPLES,
    ),
    Signal(
        "mars",
        "B1",
        "embed",
        (*_LIKELIHOOD_NEEDS, "token_texts", "importance"),
        "-sum w_t ln p_t over the L tokens of the greedy answer, w_t = 1/(2L) + u_t/2, where u_t is the token's share "
        "of the answer's meaning: by default what the answer's embedding loses without the token's word, shared "
        "equally by its tokens. Embeds one text a word.",
        "Bakman et al., arXiv 2402.11756, with embedding leave-one-out in place of its importance model",
        mars,
    ),
    Signal(
        "p_true",
        "B1",
        "call",
        ("greedy_answer", "call_p_true"),
        "1 - P(True) of the next token after asking the model whether its greedy answer is true, in the same "
        "conversation where the chat template holds one, else (base models, servers) in a prompt of its own: the mass "
        "of all spellings of True over that of True and False.",
        "Kadavath et al., arXiv 2207.05221",
        calls.p_true,
        frozenset({"greedy", "call_p_true"}),
    ),
    Signal(
        "verbalized_confidence",
        "B1",
        "call",
        ("greedy_answer", "call_verbalized"),
        "1 - the confidence that the model states, in percent, when asked how likely its greedy answer is correct, in "
        "the same conversation or in a prompt of its own as for `p_true`. Not defined where the reply states none.",
        "Tian et al., arXiv 2305.14975",
        calls.verbalized_confidence,
        frozenset({"greedy", "call_verbalized"}),
    ),
    RunSignal(
        "density",
        "B2",
        "embed",
        ("question_embeddings",),
        "Minus the mean cosine of the question's embedding to the 10 nearest of a reference pool that does not hold "
        "the question: the other questions of the run, or those of a file. High where few known questions are near. "
        "Its cost grows with questions x pool.",
        "arXiv 2603.24124 (B2)",
        density,
        frozenset({"question_embedding"}),
    ),
    RunSignal(
        "freshness",
        "B3",
        "free",
        ("training_cutoff",),
        "1 - exp(-0.5 x years) for the years from the model's training cutoff to the latest day that the question "
        'names; "current" and the like name the day of the run. 0 without a time expression. Time expressions are '
        "found by English rules.",
        "arXiv 2603.24124 (B3)",
        freshness,
    ),
    RunSignal(
        "association",
        "B4",
        "embed",
        ("embedder",),
        "Mean pairwise cosine distance of the embeddings of the question's entities: high where they are unusual "
        "together. Entities are quoted titles and capitalised names, found by English rules; not defined for fewer "
        "than two.",
        "arXiv 2603.24124 (B4)",
        association,
    ),
    RunSignal(
        "grounding",
        "B5",
        "embed",
        ("embedder_or_nli",),
        "With an NLI model: 1 - the highest probability that a sentence of the question's passages entails the greedy "
        "answer. Without one: 1 - the highest cosine of the answer with a sentence, cut off below 0: it sees that no "
        "sentence is about the answer, not that one denies it.",
        "arXiv 2603.24124 (B5)",
        grounding,
        frozenset({"greedy"}),
    ),
)
