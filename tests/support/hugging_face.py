"""Hugging Face's `datasets` without a network, and with a cache of its own for each test."""

import os
import tempfile
from pathlib import Path
from typing import Any

os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", HF_HOME=tempfile.mkdtemp(prefix="hugging_face_"))

import datasets

datasets.disable_progress_bars()


def load(*names: str, cache: Path, **options: Any) -> datasets.DatasetDict:
    """`load_dataset`, all splits."""
    return datasets.load_dataset(*names, cache_dir=str(cache), **options)
