"""What every test gets: no model hub, and a cache folder that is not the user's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Before any test module imports a library that reads them.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

MODELS = Path(__file__).parent / "models"


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What touches models is tested on both majors of transformers, without anybody's remembering it."""
    for item in items:
        if item.path.is_relative_to(MODELS):
            item.add_marker("transformers")


@pytest.fixture(scope="session", autouse=True)
def cache_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Predictions and checkpoints of a test run never mix with the user's."""
    folder = tmp_path_factory.mktemp("robust-eval-cache")
    os.environ["ROBUST_EVAL_CACHE"] = str(folder)
    return folder
