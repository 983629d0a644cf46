"""Stores are real: an object server on loopback, whose answers stall and break off."""

import base64
import hashlib
import re
import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from lolblur_synth.core.errors import SequenceError, UserError
from lolblur_synth.remote import store as module
from lolblur_synth.remote.address import Address
from lolblur_synth.remote.patience import Patience
from lolblur_synth.remote.store import RemoteFile, Store
from tests.support.object_store import Proxy

WHOLE = ("cut", 10**9)  # of an answer: none
QUICK, CALM = Patience(seconds=3.0, tries=3), Patience(seconds=60.0, tries=3)


def store_of(objects, folder: str = "clips", patience: Patience = CALM) -> Store:
    return Store(Address(objects.url(folder)), patience)


def noise(size: int) -> bytes:
    return hashlib.shake_128(b"footage").digest(size)


@pytest.fixture
def small_blocks(monkeypatch) -> None:
    monkeypatch.setattr(module, "BLOCK", 100_000)


def test_a_listing_tells_names_sizes_and_what_changes_with_the_bytes(objects):
    objects.put("clips/a.mp4", b"abc")
    objects.put("clips/night/b.mov", b"de")
    objects.put("clips2/c.mp4", b"")
    first = store_of(objects).listing()
    assert first == [
        RemoteFile("a.mp4", 3, hashlib.md5(b"abc").hexdigest()),
        RemoteFile("night/b.mov", 2, hashlib.md5(b"de").hexdigest()),
    ]
    assert store_of(objects).listing("night") == first[1:]
    objects.put("clips/a.mp4", b"abd")
    changed = store_of(objects).listing()
    assert changed[0].tag != first[0].tag
    assert changed[1] == first[1]
    assert objects.proxy.read == []


def test_a_file_comes_whole_in_as_many_requests_as_it_has_blocks(objects, tmp_path, small_blocks):
    data = noise(350_000)
    objects.put("clips/a.mp4", data)
    store = store_of(objects)
    store.fetch(store.listing(), tmp_path, pytest.fail)
    assert (tmp_path / "a.mp4").read_bytes() == data
    assert objects.proxy.read == ["/footage/clips/a.mp4"] * 4


def test_a_reading_that_stalls_goes_on_where_it_was_and_is_told(objects, tmp_path, small_blocks):
    data = noise(350_000)
    objects.put("clips/a.mp4", data)
    store = store_of(objects, patience=QUICK)
    files = store.listing()
    objects.proxy.harms += [WHOLE, ("stall", 30_000)]
    told = list[str]()
    store.fetch(files, tmp_path, told.append)
    assert (tmp_path / "a.mp4").read_bytes() == data
    assert told == ["s3://footage/clips: a.mp4 cannot be read: no answer in 3 s; asking again from byte 100000"]


def test_a_reading_that_is_cut_off_is_asked_for_again(objects, tmp_path, small_blocks):
    """Twice in a row by s3fs itself, which tells nobody."""
    data = noise(350_000)
    objects.put("clips/a.mp4", data)
    store = store_of(objects)
    files = store.listing()
    objects.proxy.harms += [WHOLE, ("cut", 30_000), ("cut", 0)]
    store.fetch(files, tmp_path, lambda text: None)
    assert (tmp_path / "a.mp4").read_bytes() == data
    assert not objects.proxy.harms


def test_a_reading_that_never_comes_ends_in_bounded_time(objects, tmp_path):
    objects.put("clips/a.mp4", noise(100_000))
    store = Store(Address(objects.url("clips")), Patience(0.7, 2))
    files = store.listing()
    objects.proxy.harms += [("stall", 500)] * 20
    told, began = list[str](), time.monotonic()
    with pytest.raises(SequenceError, match=r"^s3://footage/clips: a\.mp4 cannot be read: no answer in 0\.7 s$"):
        store.fetch(files, tmp_path, told.append)
    assert time.monotonic() - began < 10
    assert len(told) == 1


@pytest.mark.parametrize("change", [b"other", None])
def test_a_file_that_has_changed_in_the_store_is_found_out(objects, tmp_path, change):
    objects.put("clips/a.mp4", b"abcde")
    store = store_of(objects)
    files = store.listing()
    if change:
        objects.put("clips/a.mp4", change)
        match = "a.mp4 was replaced in the store since it was listed; run again"
    else:
        objects.client.delete_object(Bucket="footage", Key="clips/a.mp4")
        match = "a.mp4 cannot be read: no such folder, bucket or file"
    with pytest.raises(SequenceError, match=match):
        store.fetch(files, tmp_path, lambda text: None)


def test_many_files_are_held_against_one_listing(objects, tmp_path):
    for number in range(12):
        objects.put(f"clips/night/{number:04d}.png", noise(number + 1))
    store = store_of(objects)
    files = store.listing()
    store.fetch(files, tmp_path, pytest.fail)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{number:04d}.png" for number in range(12)]
    objects.put("clips/night/0007.png", noise(8)[::-1])
    with pytest.raises(SequenceError, match=r"night/0007\.png was replaced"):
        store.fetch(files, tmp_path, pytest.fail)


def test_a_tag_that_is_no_hash_of_the_bytes_costs_one_reading_more_and_then_none(objects, tmp_path, monkeypatch):
    """As with keys of KMS, where it looks like one."""
    monkeypatch.setattr(module, "_other_tags", set())
    objects.put("clips/a.mp4", b"abc")
    objects.proxy.tags[hashlib.md5(b"abc").hexdigest().encode()] = b"0" * 32
    store = store_of(objects)
    files = store.listing()
    assert files[0].tag == "0" * 32
    readings = []
    for _ in range(2):
        before = len(objects.proxy.read)
        store.fetch(files, tmp_path, pytest.fail)
        assert (tmp_path / "a.mp4").read_bytes() == b"abc"
        readings.append(len(objects.proxy.read) - before)
    assert readings == [2, 1]


@pytest.fixture
def web(tmp_path) -> Iterator[Proxy]:
    """A server of the folder `tmp_path / "web"` that gives files only whole, and wants a password."""

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            signed = self.headers.get("Authorization") == "Basic " + base64.b64encode(b"me:pw").decode()
            super().do_GET() if signed else self.send_error(401)

        def log_message(self, *args: object) -> None:
            pass

    (tmp_path / "web").mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=tmp_path / "web")) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        proxy = Proxy(server.server_port)
        yield proxy
        proxy.close()
        server.shutdown()
        thread.join()


def test_a_web_server_that_lists_its_folders_will_do(web, tmp_path, small_blocks):
    data = noise(350_000)
    for name in ("a.mp4", "of the night/b 1+2.mp4"):
        (tmp_path / "web/clips" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "web/clips" / name).write_bytes(data)
    store = Store(Address(web.url.replace("//", "//me:pw@") + "/clips"), CALM)
    files = store.listing()
    assert [(file.name, file.size) for file in files] == [("a.mp4", 350_000), ("of the night/b 1+2.mp4", 350_000)]
    assert store.listing("of the night") == files[1:]
    web.harms.append(("cut", 150_000))
    told = list[str]()
    store.fetch(files[:1], tmp_path, told.append)
    store.fetch(files[1:], tmp_path, pytest.fail)
    assert [(tmp_path / name).read_bytes() == data for name in ("a.mp4", "b 1+2.mp4")] == [True, True]
    assert len(told) == 1
    assert told[0].startswith(f"{web.url}/clips: a.mp4 cannot be read: ")
    again = re.search(r"; asking again from byte (\d+)$", told[0])
    assert again
    assert int(again[1]) <= 150_000  # as far as it had come


def listed(url: str) -> str:
    with pytest.raises(UserError) as error:
        Store(Address(url), CALM).listing()
    assert "\n" not in str(error.value)
    return str(error.value)


def test_what_cannot_be_listed_is_told_in_a_line(objects, monkeypatch):
    objects.put("clips/a.mp4", b"abc")
    missing = "no such folder, bucket or file; look at its name, and at the endpoint that is asked"
    assert listed("s3://no-such-bucket/clips") == f"s3://no-such-bucket/clips: {missing}"
    assert listed(objects.url("other")) == f"s3://footage/other: {missing}"
    assert "a file, not a folder" in listed(objects.url("clips/a.mp4"))
    assert listed("nothing://host/clips").startswith("nothing://host/clips: no file system is known for nothing://")
    assert "gs:// is not installed; Please install gcsfs" in listed("gs://bucket/clips")
    from s3fs import S3FileSystem

    S3FileSystem.clear_instance_cache()
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert "no credentials for it are found here; sign in" in listed(objects.url("clips"))


def test_a_host_that_is_not_there_is_told_in_bounded_time(objects, monkeypatch):
    from s3fs import S3FileSystem

    S3FileSystem.clear_instance_cache()
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    began = time.monotonic()
    with pytest.raises(UserError, match=r"s3://footage/clips: (no answer in|Could not connect)"):
        Store(Address(objects.url("clips")), Patience(0.5, 2)).listing()
    assert time.monotonic() - began < 10
