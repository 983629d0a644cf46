"""What of a URL is shown, and which are refused."""

from dataclasses import asdict

import pytest

from lolblur_synth.core.errors import UserError
from lolblur_synth.remote.address import Address, here, is_url, parse_address, without_secrets

SIGNED = "https://me:p4ss@host:8443/clips/?X-Amz-Signature=abc123&token=t0ken#end"


@pytest.mark.parametrize(
    ("url", "shown", "name"),
    [
        ("s3://bucket/night clips/", "s3://bucket/night clips", "night clips"),
        ("s3://bucket", "s3://bucket", "bucket"),
        (SIGNED, "https://host:8443/clips", "clips"),
        ("sftp://me@host/a@b/clips", "sftp://host/a@b/clips", "clips"),
    ],
)
def test_what_is_shown_has_no_secrets(url, shown, name):
    address = Address(url)
    assert (address.shown, address.name) == (shown, name)
    assert "p4ss" not in repr(address)


def test_what_libraries_say_is_redacted():
    said = f"404, message='Not Found', url='{SIGNED}'; also t0ken? X-Amz-Signature=abc123&token=t0ken by p4ss"
    told = Address(SIGNED).redact(said)
    for secret in ("p4ss", "abc123", "me:"):
        assert secret not in told
    assert "url='https://host:8443/clips'" in told
    assert without_secrets("at http://a:b@h/x?k=1 and http://h/y") == "at http://h/x and http://h/y"


@pytest.mark.parametrize("text", ["memory://clips", "simplecache::s3://bucket/clips", "s 3://bucket", "://x"])
def test_places_that_others_cannot_see_are_refused(text):
    with pytest.raises(UserError, match="s3://BUCKET/FOLDER"):
        parse_address(text)


def test_a_password_that_breaks_a_url_is_not_told():
    with pytest.raises(UserError) as error:
        parse_address("sftp://me:a/b@host/clips")
    assert str(error.value).startswith("sftp://...: no host and port can be read of it")


def test_paths_are_none():
    assert not is_url("clips/s3:/x")
    assert here("file:///clips/a") == "/clips/a"
    assert here("s3://clips/a") is None
    assert asdict(parse_address("S3://bucket/x")) == {"whole": "S3://bucket/x"}
