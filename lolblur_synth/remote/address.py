"""Addresses of folders elsewhere: URLs of fsspec, which may hold a password that nobody is to be shown."""

import re
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from lolblur_synth.core.errors import UserError

_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*(?=://)")
_USER = re.compile(r"(?<=://)[^/\s'\"]*@")
_QUERY = re.compile(r"(\w[\w+.-]*://[^\s?#'\"]*)[?#][^\s'\"]*")
_HERE = {"file", "local"}
_NOWHERE = {"memory", "data", "blockcache", "cached", "filecache", "simplecache", "dir", "reference"}
_HIDDEN = "..."


@dataclass(frozen=True)
class Address:
    """The URL of a folder, such as `s3://bucket/clips`; `shown` is what of it may be told and recorded.

    >>> Address("sftp://me:secret@host/clips?token=1").shown
    'sftp://host/clips'
    """

    whole: str = field(repr=False)

    @property
    def scheme(self) -> str:
        """Such as `s3`."""
        return self.whole.partition("://")[0].lower()

    @property
    def shown(self) -> str:
        """Without a user, a password, and what may be a signature."""
        return without_secrets(self.whole).rstrip("/")

    @property
    def name(self) -> str:
        """The last part of the path, or else the host or bucket."""
        return self.shown.rpartition("/")[2]

    def redact(self, text: str) -> str:
        """A message of a library, without what the URL is to keep."""
        text = without_secrets(text.replace(self.whole, self.shown))
        with suppress(ValueError):
            parts = urlsplit(self.whole)
            for secret in filter(None, (parts.password, parts.query, parts.fragment)):
                text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", _HIDDEN, text)
        return text


def without_secrets(text: str) -> str:
    """A text whose URLs have lost users, passwords, queries and fragments."""
    return _USER.sub("", _QUERY.sub(r"\1", text))


def is_url(text: object) -> bool:
    """Whether a place is told by a URL, and not by a path of this machine's."""
    return isinstance(text, str) and "://" in text


def parse_address(text: str) -> Address:
    """The address that a URL tells; raises `UserError` for what is none, or of a kind that other processes cannot see.

    A folder of this machine by `file://` is none either: `here` takes it.
    """
    found = _SCHEME.match(text)
    address = Address(text)
    if found is None or "::" in text:
        raise UserError(
            "not the URL of a folder", where=without_secrets(text), advice="give one such as s3://BUCKET/FOLDER"
        )
    try:
        _ = urlsplit(text).port
    except ValueError:
        raise UserError(
            "no host and port can be read of it",
            where=f"{address.scheme}://{_HIDDEN}",
            advice="in a user's name and a password, / is %2F, : is %3A and @ is %40",
        ) from None
    if address.scheme in _NOWHERE:
        raise UserError(
            f"{address.scheme}:// is no place that other processes can read",
            where=address.shown,
            advice="give a folder, or a URL such as s3://BUCKET/FOLDER",
        )
    return address


def here(text: str) -> str | None:
    """The path of a `file://` URL, None for any other."""
    return text.partition("://")[2] if text.partition("://")[0].lower() in _HERE else None
