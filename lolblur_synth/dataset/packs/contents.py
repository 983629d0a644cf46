"""The contents of a pack, `pack.json`: of which form it is, and its files with their hashes."""

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from lolblur_synth.config.section import as_tuple
from lolblur_synth.core.errors import UserError
from lolblur_synth.core.files import read_bounded
from lolblur_synth.dataset.packs.plan import FORMAT, Kind, Options
from lolblur_synth.dataset.packs.streams import Written
from lolblur_synth.dataset.record_reader import fault_in
from lolblur_synth.dataset.records import STRICT, Count, Digest

CONTENTS = "pack.json"
ORIGIN = "dataset"  # folder of the records, settings and card of what was packed
LMDB_DATA = "data.mdb"
_PACKAGES: dict[Kind, str] = {"webdataset": "webdataset", "lmdb": "lmdb", "parquet": "pyarrow"}
_LARGEST = 16 << 20
_NAME = r"^(train|test)(-\d{6}\.tar|-\d{5}-of-\d{5}\.parquet|/[a-z_]+\.lmdb)$"


class PackedFile(BaseModel):
    """A file of a pack."""

    model_config = ConfigDict(frozen=True, **STRICT)

    size: Count  # bytes
    sha256: Digest
    pairs: Count

    @classmethod
    def of(cls, written: Written, pairs: int) -> Self:
        """What was written."""
        return cls(size=written.size, sha256=written.sha256, pairs=pairs)


class Contents(BaseModel):
    """What a pack holds."""

    model_config = ConfigDict(frozen=True, **STRICT)

    format: Literal[1]
    kind: Kind
    megabytes: Count
    crop: Count | None
    step: Count | None
    fingerprint: Digest
    sizes: dict[Annotated[str, Field(pattern=r"^\d{4}$")], tuple[Count, Count]]  # by VVVV, height and width
    files: dict[Annotated[str, Field(pattern=_NAME)], PackedFile] = Field(min_length=1, max_length=1_000_000)

    @field_validator("sizes", mode="before")
    @classmethod
    def _as_tuples(cls, value: object) -> object:
        """JSON has lists only."""
        return {name: as_tuple(size) for name, size in value.items()} if isinstance(value, dict) else value

    @property
    def options(self) -> Options:
        """How it was made."""
        return Options(self.kind, self.megabytes, self.crop, self.step)


def check_package(kind: Kind, where: object) -> None:
    """Raise `UserError` unless the library of a form is installed."""
    if find_spec(_PACKAGES[kind]) is None:
        raise UserError(
            f"the package {_PACKAGES[kind]} is not installed",
            where=where,
            advice=f"pip install 'lolblur-synth[{kind}]'",
        )


def data_file(root: Path, name: str) -> Path:
    """The file that is hashed, of a file of a pack; an LMDB is a folder."""
    return root / name / LMDB_DATA if name.endswith(".lmdb") else root / name


def is_pack(root: Path) -> bool:
    """Whether a folder is a pack of ours."""
    return (root / CONTENTS).is_file()


def read_contents_of(root: Path) -> Contents:
    """The contents of a pack; raises `UserError` for a damaged file or another format."""
    advice = f"pack it anew; this version reads format {FORMAT}"
    try:
        return Contents.model_validate_json(read_bounded(root / CONTENTS, _LARGEST))
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror or error}", where=root / CONTENTS, advice=advice) from None
    except ValidationError as error:
        raise UserError(f"damaged: {fault_in(error)}", where=root / CONTENTS, advice=advice) from None
