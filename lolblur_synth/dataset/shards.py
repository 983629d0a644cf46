"""WebDataset shards: tar files whose members `KEY.FIELD` make a sample for each key; where each member's bytes lie.

A key ends at the first dot of the base name, as the `webdataset` package has it. Tar is not compressed: a member that
was found once is read from its place like a file.
"""

import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lolblur_synth.core.errors import UserError
from lolblur_synth.core.files import read_part
from lolblur_synth.dataset.layout import Split

_MEMBER = re.compile(r"((?:.*/|)[^./]+)\.([^/]*)")
_BLOCK = 512  # bytes; at least one of zeros ends a tar file


@dataclass(frozen=True, slots=True)
class Member:
    """A file in a shard."""

    name: str
    key: str  # of its sample, such as VVVV/FFFF
    field: str  # such as low_blur.png
    start: int  # in the shard, bytes
    size: int


def find_shards(root: Path, split: Split) -> list[Path]:
    """The shards of a split, `train-000000.tar` and so on."""
    return sorted(path for path in root.glob(f"{split}-*.tar") if not path.name.startswith("."))


def members(shard: Path) -> Iterator[Member]:
    """The members of samples in a shard, in order; raises `UserError` for what is no tar file, or is cut off."""
    end = 0
    try:
        with tarfile.open(shard, "r:") as tar:
            for info in tar:
                end = info.offset_data + -(-info.size // _BLOCK) * _BLOCK
                named = _MEMBER.fullmatch(info.name)
                if named and info.isreg() and not info.issparse():
                    yield Member(info.name, named[1], named[2], info.offset_data, info.size)
        whole = read_part(shard, end, _BLOCK) == bytes(_BLOCK)
    except (OSError, tarfile.TarError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UserError(f"cannot be read: {reason}", where=shard, advice="make or fetch it again") from None
    if not whole:
        raise UserError("is cut off", where=shard, advice="make or fetch it again")
