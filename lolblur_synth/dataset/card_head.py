"""The head of the dataset card: YAML by which the Hugging Face Hub files, filters and shows a dataset."""

import re
from bisect import bisect
from collections.abc import Iterable
from typing import Any

import yaml

from lolblur_synth.config.about import LICENSES, About
from lolblur_synth.dataset.layout import Split

_SIZES = 1000, 10_000, 100_000, 1_000_000
_CLASSES = "n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "n>1M"  # of the Hub


def head(about: About, pairs: int, files: Iterable[tuple[Split, str]]) -> list[str]:
    """The lines of the head; `files` are a pattern of the files of each split. A licence that nobody told is left out.

    >>> head(About(license="cc-by-4.0"), 7, [("train", "train/**")])[1:3]
    ['license: cc-by-4.0', 'task_categories:']
    """
    fields: dict[str, Any] = {"pretty_name": about.name} if about.name else {}
    if about.license in LICENSES and not about.license_url:
        fields["license"] = about.license
    elif about.license:
        name = re.sub(r"[^a-z0-9.]+", "-", about.license.lower()).strip("-")
        fields |= {"license": "other", "license_name": name or "other", "license_link": about.license_link}
    fields |= {
        "task_categories": ["image-to-image"],
        "tags": ["low-light", "deblurring", "image-restoration", "synthetic"],
        "size_categories": [_CLASSES[bisect(_SIZES, pairs)]],
        "configs": [
            {"config_name": "default", "data_files": [{"split": split, "path": path} for split, path in files]}
        ],
    }
    text = yaml.safe_dump(fields, sort_keys=False, allow_unicode=True, width=1000)
    return ["---", *text.splitlines(), "---", ""]


def licensing(about: About) -> list[str]:
    """The section of the card that tells who made it, and what may be done with it."""
    who = [f"Made by {', '.join(about.creators)}."] if about.creators else []
    if about.license:
        told = f"Licence of the pictures: {about.license}, {about.license_link}"
    else:
        told = "Its maker has not told under which licence the pictures are (`about.license`)."
    cite = ["", "```", *about.cite_as.splitlines(), "```"] if about.cite_as else []
    return ["## Licence", "", " ".join([*who, told]), *cite, ""]
