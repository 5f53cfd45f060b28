"""Configuration: the models and embedders that have names, and the settings with their order of precedence.

Knows the files, the environment and where a named model lies. Does not know how a model is loaded or run, and never
downloads anything. Imports nothing heavier than the standard library.
"""

from homogaudit.config.models_file import (
    Entry,
    GeneratorEntry,
    ModelsFile,
    load_models,
    resource,
    user_models_file,
)
from homogaudit.config.nearest import did_you_mean, nearest
from homogaudit.config.resolve import (
    ResolvedGenerator,
    ResolvedScorer,
    how_to_get,
    is_present,
    resolve_embedder,
    resolve_generator,
    resolve_nli,
)
from homogaudit.config.settings import Settings, load_settings
from homogaudit.config.trust import Consent, Trust, refuse

__all__ = [
    "Consent",
    "Entry",
    "GeneratorEntry",
    "ModelsFile",
    "ResolvedGenerator",
    "ResolvedScorer",
    "Settings",
    "Trust",
    "did_you_mean",
    "how_to_get",
    "is_present",
    "load_models",
    "load_settings",
    "nearest",
    "refuse",
    "resolve_embedder",
    "resolve_generator",
    "resolve_nli",
    "resource",
    "user_models_file",
]
