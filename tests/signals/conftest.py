import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def reference() -> Path:
    """The folder of reference data, or a skip where it is absent."""
    default = Path(__file__).parents[2].parent / "shared" / "reference"
    folder = Path(os.environ.get("HOMOGAUDIT_REFERENCE") or default)
    if not folder.is_dir():
        pytest.skip(f"reference data not found at {folder}; set HOMOGAUDIT_REFERENCE")
    return folder
