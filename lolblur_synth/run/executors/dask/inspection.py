"""Inspection of a worker before it gets work: whether it computes with the same code and sees the same files."""

import asyncio
import secrets
import socket
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_GIGA = 1e9
_KILLED_AT = 0.95  # of its limit: what a worker of Dask may hold before its nanny ends it


@dataclass(frozen=True)
class Software:
    """What pixels follow from, besides footage and settings."""

    python: str  # minor version: what is pickled by one is not to be relied on in another
    versions: dict[str, str]
    kernels: str  # digest of what is compiled, and by what
    weights: dict[str, str]  # sha256 by network


@dataclass(frozen=True)
class Question:
    """What a worker has to know to answer, in plain values: it may have another version of everything."""

    weights: str  # of the darkening network
    backend: str  # of interpolation
    backend_weights: str
    device: str
    vulkan: bool
    token: Path  # a file that was just written into the output folder
    folders: tuple[Path, ...]  # to read and write, besides
    footage: tuple[tuple[Path, int | None], ...]  # a video of each folder and its size, None of a folder of frames
    schemes: tuple[str, ...] = ()  # of URLs that footage is copied from


@dataclass(frozen=True)
class Answer:
    """What a worker is, and has, and sees."""

    software: Software
    host: str
    threads: int
    memory: int  # bytes that it may hold; 0: no limit
    gpus: tuple[str, ...]  # by what tells each from all others
    faults: tuple[str, ...]  # what it lacks or does not see
    echo: str  # name of the file that it wrote beside the token; empty: none


def scheduler_version() -> str:
    """The version of the package and of Python, without importing what else a worker needs."""
    from lolblur_synth.core.version import __version__

    return f"{__version__} on Python {_python()}"


async def inspect(question: Question, dask_worker: Any = None) -> Answer:
    """Answer, on a worker; its event loop goes on meanwhile."""
    limit = dask_worker.memory_manager.memory_limit or 0
    return await asyncio.to_thread(_inspect, question, dask_worker.state.nthreads, limit)


def _inspect(question: Question, threads: int, limit: int) -> Answer:
    software, faults = installed(question)
    echo = ""
    if question.token.is_file():
        echo = f".{secrets.token_hex(8)}.echo.partial"
        try:
            question.token.with_name(echo).write_bytes(question.token.read_bytes())
        except OSError as error:
            faults.append(f"cannot write into {question.token.parent}: {error.strerror}")
    else:
        faults.append(f"does not see {question.token.parent}")
    faults += [f"does not see the folder {folder}" for folder in question.folders if not folder.is_dir()]
    faults += list(_unseen(question.footage))
    faults += list(_unreadable(question.schemes))
    gpus = _gpus() if question.device == "cuda" else ()
    return Answer(software, socket.gethostname(), threads, limit, gpus, tuple(faults), echo)


def installed(question: Question) -> tuple[Software, list[str]]:
    """The software of this process, and what of it is missing."""
    from importlib.metadata import PackageNotFoundError

    import torch

    from lolblur_synth.core.errors import UserError
    from lolblur_synth.kernels.jit_cache import kernel_key
    from lolblur_synth.nets.weights.load import load_ec_zero_dce
    from lolblur_synth.ops.interpolation.backends import choose_backend
    from lolblur_synth.run.executors import base  # noqa: F401 - with all that sequences need, before there is one
    from lolblur_synth.run.provenance import versions

    faults: list[str] = []
    found, weights = dict[str, str](), dict[str, str]()
    try:
        found = versions()
    except PackageNotFoundError as error:
        faults.append(f"has no package {error.name}")
    try:
        weights["ec_zero_dce"] = load_ec_zero_dce(question.weights)[1]
        backend: Any = question.backend
        device = torch.device(question.device)
        weights |= choose_backend(backend, question.backend_weights, device, vulkan=question.vulkan).weights
    except UserError as error:
        faults.append(error.told())
    return Software(_python(), found, kernel_key(), weights), faults


def _python() -> str:
    return f"{sys.version_info[0]}.{sys.version_info[1]}"


def _unseen(footage: Iterable[tuple[Path, int | None]]) -> Iterable[str]:
    for path, size in footage:
        if not path.exists():
            yield f"does not see {path}"
        elif size is not None and path.stat().st_size != size:
            yield f"sees another file {path}, of {path.stat().st_size} bytes instead of {size}"


def _unreadable(schemes: Iterable[str]) -> Iterable[str]:
    for scheme in schemes:
        try:
            from fsspec import get_filesystem_class

            get_filesystem_class(scheme)
        except (ImportError, ValueError) as error:
            yield f"cannot read footage of {scheme}:// ({str(error) or type(error).__name__})"


def _gpus() -> tuple[str, ...]:
    import torch

    return tuple(str(torch.cuda.get_device_properties(index).uuid) for index in range(torch.cuda.device_count()))


def objections(answer: Answer, here: Software, need: int) -> list[str]:
    """Why a worker gets no work: how its software differs from that of this process, what it lacks; or nothing.

    `need` is what a sequence takes, in bytes.
    """
    there = answer.software
    if there.python != here.python:
        return [f"has Python {there.python}, not {here.python}"]
    others = [
        f"has {name} {there.versions[name]}, not {version}"
        for name, version in here.versions.items()
        if there.versions.get(name, version) != version
    ]
    if not others and there.kernels != here.kernels:
        others = ["compiles its kernels from other code, or by another numba or llvmlite"]
    others += [
        f"has other weights of {name}: sha256 {there.weights[name][:16]}, not {sha256[:16]}"
        for name, sha256 in here.weights.items()
        if there.weights.get(name, sha256) != sha256
    ]
    most = answer.memory * _KILLED_AT
    if 0 < most < need:
        others.append(
            f"may hold {most / _GIGA:.2f} GB, {_KILLED_AT:.0%} of its limit, and a sequence of such pictures takes "
            f"{need / _GIGA:.2f} GB at the least; start it with a larger --memory-limit, or fewer on its host"
        )
    return [*others, *answer.faults]
