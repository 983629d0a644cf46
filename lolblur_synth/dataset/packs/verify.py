"""The check of a pack: each file hashed, every picture in it decoded and hashed, by the records of its dataset."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path

from lolblur_synth.core.devices import cores
from lolblur_synth.core.errors import SequenceError, UserError, setting, shown
from lolblur_synth.core.files import file_hash, read_bounded, read_part
from lolblur_synth.core.threads import ordered_map
from lolblur_synth.dataset.layout import FOLDERS, SPLITS, Split
from lolblur_synth.dataset.packs.contents import ORIGIN, Contents, check_package, data_file, read_contents_of
from lolblur_synth.dataset.packs.crops import joined
from lolblur_synth.dataset.packs.lmdbs import META, keys_of, meta_of, read_values
from lolblur_synth.dataset.packs.parquet import read_rows
from lolblur_synth.dataset.record_reader import read_records
from lolblur_synth.dataset.records import SequenceRecord
from lolblur_synth.dataset.shards import members
from lolblur_synth.video.images import Pixels, decode_pixels, pixel_hash

Found = tuple[str, str, dict[str, bytes]]  # a pair, a folder, and the files of its picture by key


def verify_pack(root: Path, notify: Callable[[int, int], None] | None = None) -> tuple[int, list[str]]:
    """Decode and hash every picture of a pack; how many there should be, and what is wrong, a line each.

    Raises `UserError` where the contents or a record are damaged, or the package that reads it is not installed.
    """
    contents = read_contents_of(root)
    if contents.kind != "webdataset":  # which the standard library reads
        check_package(contents.kind, root)
    records = read_records(root / ORIGIN)
    expected = _expected(records.values())
    names = {split: _names(records.values(), split) for split in SPLITS}
    count, seen, faults = len(expected), set[tuple[str, str]](), list[str]()

    def check(found: Found) -> tuple[Found, str | None]:
        return found, _fault(found, expected, contents)

    with ordered_map(cores()) as each:
        for name in contents.files:
            faults += _file_faults(root, name, names[_split(name)], contents)
            try:
                for (pair, folder, _), fault in each(check, _pictures(root, name, contents)):
                    faults += [f"{name}: {shown(pair)}.{shown(folder)}: {fault}"] if fault else []
                    faults += [f"{name}: {pair}.{folder}: is there twice"] if (pair, folder) in seen else []
                    seen.add((pair, folder))
                    if notify and not fault:
                        notify(len(seen), count)
            except UserError as error:
                faults.append(f"{name}: {shown(error.told(setting, where=False))}")
    missing = sorted(expected.keys() - seen)
    faults += [f"{pair}.{folder}: missing" for pair, folder in missing]
    strays = sorted(path.relative_to(root).as_posix() for path in _data_files(root))
    faults += [f"{shown(path)}: is not among its contents" for path in strays if path not in contents.files]
    return count, faults


def _expected(records: Iterable[SequenceRecord]) -> dict[tuple[str, str], str]:
    """Pixel hashes by pair and folder."""
    return {
        (f"{record.video:04d}/{pair.number:04d}", folder): pair.sha256[folder]
        for record in records
        for pair in record.pairs
        for folder in FOLDERS
    }


def _names(records: Iterable[SequenceRecord], split: Split) -> list[str]:
    """Pairs of a split."""
    kept = (record for record in records if record.split == split)
    return sorted(f"{record.video:04d}/{pair.number:04d}" for record in kept for pair in record.pairs)


def _split(name: str) -> Split:
    return "train" if name.startswith("train") else "test"


def _data_files(root: Path) -> Iterator[Path]:
    for split in SPLITS:
        yield from root.glob(f"{split}-*.*")
        yield from root.glob(f"{split}/*")


def _file_faults(root: Path, name: str, names: Iterable[str], contents: Contents) -> Iterator[str]:
    path = data_file(root, name)
    if not path.is_file() or path.is_symlink():
        yield f"{name}: missing, or no file"
    elif file_hash(path) != contents.files[name].sha256:
        yield f"{name}: differs from its hash"
    if contents.kind == "lmdb" and not _has_meta(root / name, names, contents):
        yield f"{name}/{META}: is not as it was written"


def _has_meta(folder: Path, names: Iterable[str], contents: Contents) -> bool:
    sizes = {name: contents.sizes.get(name.partition("/")[0], (0, 0)) for name in names}
    if contents.crop and any(min(size) < contents.crop for size in sizes.values()):
        return False
    wanted = meta_of(sizes, contents.options).encode()
    try:
        return read_bounded(folder / META, len(wanted), follow=False) == wanted
    except OSError:
        return False


def _pictures(root: Path, name: str, contents: Contents) -> Iterator[Found]:
    path = data_file(root, name)
    if not path.is_file() or path.is_symlink():
        return
    if contents.kind == "webdataset":
        for member in members(path):
            if member.field.endswith(".png"):
                data = read_part(path, member.start, member.size)
                yield member.key, member.field.removesuffix(".png"), {member.key: data}
    elif contents.kind == "parquet":
        for pair, folder, data in read_rows(path):
            yield pair, folder, {pair: data}
    else:
        folder = Path(name).stem
        for pair, values in groupby(read_values(root / name), lambda item: item[0].partition("_")[0]):
            yield pair, folder, dict(values)


def _fault(found: Found, expected: Mapping[tuple[str, str], str], contents: Contents) -> str | None:
    pair, folder, files = found
    wanted = expected.get((pair, folder))
    if wanted is None:
        return "no record names it"
    try:
        pixels = _pixels(pair, files, contents)
    except SequenceError:
        return "cannot be decoded"
    if pixels is None:
        return "its sub-images are not those of one picture"
    return None if pixel_hash(pixels) == wanted else "its pixels differ from its record"


def _pixels(pair: str, files: Mapping[str, bytes], contents: Contents) -> Pixels | None:
    if contents.crop is None:
        return decode_pixels(files[pair], pair) if files.keys() == {pair} else None
    size = contents.sizes.get(pair.partition("/")[0], (0, 0))
    if min(size) < contents.crop:
        return None
    keys = keys_of(pair, size, contents.options)
    parts = {crop: decode_pixels(files[key], key) for key, crop in keys if crop and key in files}
    shape = (contents.crop, contents.crop, 3)
    whole = files.keys() == {key for key, _ in keys} and all(part.shape == shape for part in parts.values())
    return joined((*size, 3), parts) if whole else None
