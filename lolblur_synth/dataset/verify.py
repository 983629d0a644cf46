"""The check of a dataset: every picture decoded and hashed again, and nothing there that no record names."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lolblur_synth.core.errors import SequenceError, UserError, shown
from lolblur_synth.dataset.about import read_about
from lolblur_synth.dataset.croissant import CROISSANT, check_croissant
from lolblur_synth.dataset.layout import RECORD, SETTINGS, SPLITS, staged
from lolblur_synth.dataset.packs.contents import is_pack
from lolblur_synth.dataset.packs.verify import verify_pack
from lolblur_synth.dataset.record_reader import read_records, read_staged
from lolblur_synth.video.images import pixel_hash, read_pixels


def verify(root: Path, notify: Callable[[int, int], None] | None = None) -> tuple[int, list[str]]:
    """Decode and hash every picture again, of a packed dataset too.

    Returns how many there should be and what is wrong, a line each. Raises `UserError` when `root` is no dataset of
    ours, when a record is damaged, when a link leads out of it.
    """
    if is_pack(root):
        return verify_pack(root, notify)
    if not (root / SETTINGS).is_file():
        raise UserError(f"not a dataset made by lolblur-synth run (it has no {SETTINGS})", where=root)
    records = read_records(root)
    expected = [entry for record in records.values() for entry in record.images()]
    faults = []
    with ThreadPoolExecutor() as pool:
        for done, fault in enumerate(pool.map(lambda entry: _check_image(root, *entry), expected), 1):
            faults += [fault] if fault else []
            if notify:
                notify(done, len(expected))
    known = {root / path for path, _ in (*expected, *_staged(root))}
    strays = sorted(path for split in SPLITS for path in (root / split).glob("*/*/*") if path not in known)
    faults += [f"{shown(path.relative_to(root))}: no record names it" for path in strays]
    faults += [f"{path.name}: an unfinished sequence; run again to finish it" for path in staged(root)]
    if (root / CROISSANT).exists():
        faults += check_croissant(root, records, read_about(root))
    return len(expected), faults


def _staged(root: Path) -> Iterator[tuple[Path, str]]:
    """Pictures of complete sequences that are not, or not all, published yet."""
    for staging in staged(root):
        if (staging / RECORD).exists():
            yield from read_staged(staging).images()


def _check_image(root: Path, path: Path, sha256: str) -> str | None:
    if (root / path).is_symlink():
        return f"{path}: is a link"
    if not (root / path).is_file():
        return f"{path}: missing"
    try:
        pixels = read_pixels(root / path)
    except SequenceError:
        return f"{path}: cannot be decoded"
    return None if pixel_hash(pixels) == sha256 else f"{path}: its pixels differ from its record"
