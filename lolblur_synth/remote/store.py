"""A folder in an object store or on another host: what lies in it, and its files, read whole or not at all."""

import hashlib
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, unquote

from lolblur_synth.core.errors import SequenceError, UserError, setting, shown
from lolblur_synth.remote.address import Address
from lolblur_synth.remote.patience import Patience, is_final, lacks_credentials, pause, was_replaced, within

BLOCK = 8 << 20  # bytes that are asked for at once
_LISTING = 4  # times as long as for an answer: it may be of many pages
_AT_ONCE = 8  # files
_FEW = 4  # files of which each is asked about, and not the whole folder
_TOLD = 200  # letters of what a library says
_TAGS = ("ETag", "etag", "md5Hash", "generation", "Content-MD5", "Digest")
_TIMES = ("mtime", "LastModified", "last_modified", "updated", "Last-Modified", "modified")
_MD5 = re.compile(r"[0-9a-f]{32}")
_PACKAGES = {"s3": "s3fs", "s3a": "s3fs"}
_SIGN_IN = "sign in as its library asks for it; for S3 by AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or ~/.aws"
_other_tags = set[str]()  # hosts whose ETags look like MD5 and are none, as with keys of KMS

Warn = Callable[[str], None]
Result = TypeVar("Result")


@dataclass(frozen=True)
class RemoteFile:
    """A file as its store tells of it."""

    name: str  # its path below the folder that was given
    size: int
    tag: str  # another one once it is replaced: ETag, hash, generation, or time of change; empty: the store tells none


@dataclass(frozen=True)
class Store:
    """A folder by its address."""

    address: Address
    patience: Patience

    def listing(self, below: str = "") -> list[RemoteFile]:
        """All files in the folder, or in one below it, by name; raises `UserError` where it cannot be listed."""
        failed = 0
        while True:
            try:
                return within(_LISTING * self.patience.seconds, partial(self._list, below, anew=failed > 0))
            except UserError:
                raise
            except Exception as error:
                failed += 1
                if is_final(error) or failed >= self.patience.tries:
                    raise self._refusal(error) from None
            pause(failed)

    def _list(self, below: str, *, anew: bool) -> list[RemoteFile]:
        fs, root = self._open(anew=anew)
        folder = self._path(root, below) if below else root
        found = fs.find(folder, detail=True)
        if root in found:
            raise UserError("a file, not a folder", where=self.address.shown, advice="give the folder that it is in")
        if not found and not below:
            fs.info(folder)  # which raises where it is not there
        files = (self._file(fs, root, path, facts) for path, facts in found.items() if facts.get("type") == "file")
        return sorted(files, key=lambda file: file.name)

    def fetch(self, files: Sequence[RemoteFile], folder: Path, warn: Warn) -> None:
        """Copy files into `folder`, by the last parts of their names; they are on the disk then.

        Raises `SequenceError` where one cannot be read, or is not what was listed any more, and `OSError` of the disk.
        """

        def copy(file: RemoteFile) -> bool | BaseException:
            try:
                return self._copy(file, folder / file.name.rpartition("/")[2], warn)
            except BaseException as error:  # some of which a pool would wait for, for ever
                return error

        as_told = list[bool]()
        with ThreadPool(min(_AT_ONCE, len(files))) as pool:  # whose threads no Ctrl-C waits for
            for copied in pool.imap(copy, files):
                if isinstance(copied, BaseException):
                    raise copied
                as_told.append(copied)
        try:
            now = within(_LISTING * self.patience.seconds, partial(self._now, files))
        except Exception as error:
            raise self._unreadable(files[0], error) from None
        changed = [file.name for file in files if now.get(file.name) != file]
        if changed:
            state = "was replaced" if changed[0] in now else "is gone"
            raise SequenceError(
                f"{changed[0]} {state} in the store since it was listed", where=self.address.shown, advice="run again"
            )
        if not all(as_told):
            _other_tags.add(self._host)

    def _now(self, files: Sequence[RemoteFile]) -> dict[str, RemoteFile]:
        """What the store tells now of some files in a folder."""
        if len(files) > _FEW:
            listed = self._list(files[0].name.rpartition("/")[0], anew=False)
            return {file.name: file for file in listed}
        fs, root = self._open()
        found = dict[str, RemoteFile]()
        for file in files:
            with suppress(FileNotFoundError):
                path = self._path(root, file.name)
                found[file.name] = self._file(fs, root, path, fs.info(path))
        return found

    def _copy(self, file: RemoteFile, path: Path, warn: Warn) -> bool:
        """Read a file; where its MD5 is not what the store tells, once more. Returns whether it is, if it tells."""
        told = file.tag if _MD5.fullmatch(file.tag) and self._host not in _other_tags else None
        first = self._read(file, path, warn)
        if told in (None, first):
            return True
        if self._read(file, path, warn) != first:
            raise SequenceError(
                f"{file.name} comes with other bytes at each reading", where=self.address.shown, advice="run again"
            )
        return False

    @property
    def _host(self) -> str:
        return "/".join(self.address.shown.split("/")[:3])

    def _read(self, file: RemoteFile, path: Path, warn: Warn) -> str:
        """Write a file block by block, each asked for again where it fails; returns its MD5."""
        digest, offset, failed = hashlib.md5(usedforsecurity=False), 0, 0
        blocks = self._blocks(file, 0)
        with path.open("wb") as target:
            while offset < file.size:
                try:
                    block = next(blocks)
                except Exception as error:
                    failed += 1
                    if is_final(error) or failed >= self.patience.tries:
                        raise self._unreadable(file, error) from None
                    warn(f"{self._unreadable(file, error)}; asking again from byte {offset}")
                    pause(failed)
                    blocks = self._blocks(file, offset, anew=True)
                    continue
                target.write(block)
                digest.update(block)
                offset, failed = offset + len(block), 0
            target.flush()
            os.fsync(target.fileno())
        return digest.hexdigest()

    def _blocks(self, file: RemoteFile, offset: int, *, anew: bool = False) -> Iterator[bytes]:
        """The bytes of a file from `offset` on."""
        seconds = self.patience.seconds

        def opened() -> Any:
            fs, root = self._open(anew=anew)
            return fs.open(
                self._path(root, file.name), "rb", block_size=0 if self._is_web else BLOCK, cache_type="none"
            )

        source = within(seconds, opened)
        try:
            at = within(seconds, partial(_seek, source, offset))
            while at < file.size:
                block: bytes = within(seconds, partial(source.read, min(BLOCK, file.size - at)))
                if not block:
                    raise EOFError(f"ends after {at} of {file.size} bytes")
                if at + len(block) > offset:
                    yield block[max(0, offset - at) :]
                at += len(block)
        finally:
            with suppress(Exception):
                source.close()

    def _open(self, *, anew: bool = False) -> tuple[Any, str]:
        """The file system of fsspec, which has forgotten what it knew, and the path of the folder in it."""
        from fsspec.core import url_to_fs

        if anew:
            from fsspec import get_filesystem_class

            get_filesystem_class(self.address.scheme).clear_instance_cache()
        fs, root = url_to_fs(self.address.whole)
        fs.invalidate_cache()
        return fs, root.rstrip("/")

    @property
    def _is_web(self) -> bool:
        """HTTP: names are quoted in it, and not every server gives parts of files."""
        return self.address.scheme in ("http", "https")

    def _path(self, root: str, name: str) -> str:
        return f"{root}/{quote(name) if self._is_web else name}"

    def _file(self, fs: Any, root: str, path: str, facts: dict[str, Any]) -> RemoteFile:
        tag = _first(facts, _TAGS) or _first(facts, _TIMES)
        if facts.get("size") is None or not tag:
            facts = fs.info(path)
            tag = _first(facts, _TAGS) or _first(facts, _TIMES)
        if facts.get("size") is None:
            raise ValueError(f"it tells no size of {path}")
        name = path[len(root) + 1 :]
        return RemoteFile(unquote(name) if self._is_web else name, int(facts["size"]), tag)

    def _refusal(self, error: Exception) -> UserError:
        """Why the folder cannot be listed."""
        what, advice = self._told(error)
        return UserError(what, where=self.address.shown, advice=advice)

    def _unreadable(self, file: RemoteFile, error: Exception) -> SequenceError:
        what, _ = self._told(error)
        return SequenceError(f"{file.name} cannot be read: {what}", where=self.address.shown)

    def _told(self, error: Exception) -> tuple[str, str]:
        """What is wrong by the word of a library, and what to do."""
        scheme = self.address.scheme
        if isinstance(error, ImportError):
            return self._missing(error)
        if lacks_credentials(error):
            return "no credentials for it are found here", _SIGN_IN
        if was_replaced(error):
            return "it was replaced meanwhile", "run again"
        if isinstance(error, FileNotFoundError):
            return "no such folder, bucket or file", "look at its name, and at the endpoint that is asked"
        if isinstance(error, PermissionError):
            return "it may not be read", _SIGN_IN
        if isinstance(error, ValueError) and "rotocol not known" in str(error):
            return f"no file system is known for {scheme}://", "fsspec's documentation lists them"
        if isinstance(error, TimeoutError):
            return (
                f"no answer in {self.patience.seconds:g} s",
                f"try again, or wait longer by {setting('run.remote_timeout')}",
            )
        reason = self.address.redact(" ".join(str(error).split())) or type(error).__name__
        return shown(reason[:_TOLD]), "is the host there?"

    def _missing(self, error: ImportError) -> tuple[str, str]:
        package = _PACKAGES.get(self.address.scheme)
        advice = f"pip install {package}, or this package with its extra `remote`" if package else shown(str(error))
        return f"the library for {self.address.scheme}:// is not installed", advice


def _seek(source: Any, offset: int) -> int:
    """Where a file is read from: `offset`, or the beginning where a server gives it only as a whole."""
    try:
        if offset:
            source.seek(offset)
    except (OSError, ValueError):
        return 0
    return offset


def _first(facts: dict[str, Any], names: Sequence[str]) -> str:
    """The first of some facts that is told, without the quotes that HTTP has around tags."""
    return next((str(facts[name]).strip('"') for name in names if facts.get(name)), "")
