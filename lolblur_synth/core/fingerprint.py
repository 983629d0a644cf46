"""Fingerprint: a hash of what a result follows from."""

import hashlib
import json
from typing import Any


def fingerprint(parts: dict[str, Any]) -> str:
    """sha256 of plain values in canonical JSON: keys sorted, no spaces.

    >>> fingerprint({"b": 1, "a": [2]}) == fingerprint({"a": [2], "b": 1})
    True
    """
    return hashlib.sha256(json.dumps(parts, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
