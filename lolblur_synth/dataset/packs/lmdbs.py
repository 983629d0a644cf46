"""LMDB in the layout that BasicSR and its kin read, written by the `lmdb` package.

One for each folder of a split: the bytes of PNG files by keys without suffix, and `meta_info.txt` with a line
`KEY.png (h,w,c) level` for each.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

from lolblur_synth.core.errors import UserError
from lolblur_synth.core.files import file_hash, write_text
from lolblur_synth.core.threads import Map
from lolblur_synth.dataset.layout import Folder
from lolblur_synth.dataset.packs.contents import LMDB_DATA
from lolblur_synth.dataset.packs.crops import Crop, crops
from lolblur_synth.dataset.packs.plan import Options, PlannedFile
from lolblur_synth.dataset.packs.streams import Tick, Written
from lolblur_synth.dataset.pairs import Picture, read_picture
from lolblur_synth.video.images import encode_png

META = "meta_info.txt"
_LEVEL = 1  # of zlib, by which OpenCV writes PNG, ours and those of a run
_BATCH = 64  # MB of a transaction, which LMDB holds in memory
_PAGE = 4096
_ADVICE = "remove it and run the same command again"


def keys_of(name: str, size: tuple[int, int], options: Options) -> list[tuple[str, Crop | None]]:
    """The keys of a picture of height and width: its own, or those of its sub-images, `KEY_s001` and so on."""
    if options.crop is None:
        return [(name, None)]
    cut = [*crops(*size, options.crop, options.step)]
    digits = max(3, len(str(len(cut))))
    return [(f"{name}_s{crop.number:0{digits}d}", crop) for crop in cut]


def meta_of(sizes: Mapping[str, tuple[int, int]], options: Options) -> str:
    """The lines of `meta_info.txt`, by height and width of each picture."""
    return "".join(
        f"{key}.png ({options.crop or height},{options.crop or width},3) {_LEVEL}\n"
        for name, (height, width) in sizes.items()
        for key, _ in keys_of(name, (height, width), options)
    )


def write_lmdb(target: Path, planned: PlannedFile, options: Options, each: Map, tick: Tick) -> Written:
    """Write an LMDB, or go on where it was stopped; raises `UserError` for what LMDB refuses, such as a full disk.

    A transaction holds some pairs, and each has an environment of its own: memory that one leaves behind would come
    into the unused bytes of the next, and a file that was stopped would differ from one that was not.
    """
    import lmdb

    folder = planned.folder
    assert folder
    target.mkdir(parents=True, exist_ok=True)
    try:
        done = _done(target, planned, options)
        pairs = [(entry.row.pair, entry.pictures[folder]) for entry in planned.entries]
        for _ in range(done):
            tick()
        for batch in _batches(pairs, done, options):
            with (
                lmdb.open(str(target), _map_size(planned, folder, options), lock=False) as environment,
                environment.begin(write=True) as transaction,
            ):
                for items in each(lambda pair: _items(*pair, options), batch):
                    for key, value in items:
                        if not transaction.put(key.encode(), value, append=True):
                            raise UserError(f"holds {key} already", where=target, advice=_ADVICE)
                    tick()
    except lmdb.Error as error:
        raise UserError(error, where=target, advice=f"make room and run the same command again, or {_ADVICE}") from None
    write_text(target / META, meta_of({name: picture.shape[:2] for name, picture in pairs}, options))
    return Written((target / LMDB_DATA).stat().st_size, file_hash(target / LMDB_DATA))


def _done(target: Path, planned: PlannedFile, options: Options) -> int:
    """How many pairs are in it already."""
    import lmdb

    if not (target / LMDB_DATA).exists():
        return 0
    with lmdb.open(str(target), lock=False, readonly=True) as environment:
        entries = environment.stat()["entries"]
    assert planned.folder
    for done, entry in enumerate(planned.entries):
        if entries <= 0:
            return done
        entries -= len(keys_of(entry.row.pair, entry.pictures[planned.folder].shape[:2], options))
    return len(planned.entries)


def _batches(pairs: Sequence[tuple[str, Picture]], done: int, options: Options) -> Iterator[list[tuple[str, Picture]]]:
    """Pairs of a transaction each, which do not depend on where it goes on."""
    count = max(1, (_BATCH << 20) // max(_stored(picture, options) for _, picture in pairs))
    left = iter(pairs[done:])
    while batch := [*islice(left, count)]:
        yield batch


def _stored(picture: Picture, options: Options) -> int:
    """Bytes that a picture takes at most, in pages."""
    if options.crop is None:
        return picture.size + 2 * _PAGE
    cut = sum(1 for _ in crops(picture.height, picture.width, options.crop, options.step))
    return cut * (options.crop**2 * 3 * picture.decoded_bytes // (picture.height * picture.width * 3) * 2 + 2 * _PAGE)


def _map_size(planned: PlannedFile, folder: Folder, options: Options) -> int:
    """More than it takes: LMDB cannot grow beyond it, and the file is only as large as what is in it."""
    return 2 * sum(_stored(entry.pictures[folder], options) for entry in planned.entries) + (64 << 20)


def _items(name: str, picture: Picture, options: Options) -> list[tuple[str, bytes | memoryview]]:
    keys = keys_of(name, picture.shape[:2], options)
    if options.crop is None:
        return [(name, picture.path.read_bytes())]
    pixels = read_picture(picture)
    return [(key, encode_png(crop.of(pixels))) for key, crop in keys if crop]


def read_values(target: Path) -> Iterator[tuple[str, bytes]]:
    """All keys and values, in order of the keys; raises `UserError` for a file that is damaged."""
    import lmdb

    try:
        with (
            lmdb.open(str(target), lock=False, readonly=True, readahead=False) as environment,
            environment.begin() as transaction,
        ):
            for key, value in transaction.cursor():
                yield bytes(key).decode(errors="backslashreplace"), bytes(value)
    except lmdb.Error as error:
        raise UserError(f"cannot be read: {error}", where=target, advice="pack it anew") from None
