"""An object server on loopback (moto's), and a proxy before it that counts requests, stalls and cuts off."""

import logging
import re
import socket
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

BUCKET = "footage"
_REQUEST = re.compile(rb"(GET|HEAD) (\S+) HTTP/1\.1\r\n")
Harm = Literal["stall", "cut"]


@dataclass
class Proxy:
    """Passes connections on to `port`; what is asked of objects is in `asked`, and the next readings come to harm."""

    port: int
    asked: list[str] = field(default_factory=list)
    harms: deque[tuple[Harm, int]] = field(default_factory=deque)  # after so many bytes of an answer
    tags: dict[bytes, bytes] = field(default_factory=dict)  # that are told instead of others

    def __post_init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.ended = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    @property
    def read(self) -> list[str]:
        """The objects whose bytes were asked for."""
        return [path for method, path in (one.split() for one in self.asked) if method == "GET" and "?" not in path]

    def close(self) -> None:
        self.ended.set()
        self.listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        harm: deque[tuple[Harm, int]] = deque()
        with client, socket.create_connection(("127.0.0.1", self.port)) as server:
            answers = threading.Thread(target=self._answer, args=(server, client, harm), daemon=True)
            answers.start()
            with suppress(OSError):
                while data := client.recv(1 << 16):
                    self._note(data, harm)
                    for before, after in self.tags.items():
                        data = data.replace(after, before)
                    server.sendall(data)
            with suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            answers.join()

    def _note(self, data: bytes, harm: deque[tuple[Harm, int]]) -> None:
        request = _REQUEST.match(data)
        if request:
            self.asked.append(f"{request[1].decode()} {request[2].decode()}")
            harm.clear()
            if request[1] == b"GET" and b"?" not in request[2] and self.harms:
                harm.append(self.harms.popleft())

    def _answer(self, server: socket.socket, client: socket.socket, harm: deque[tuple[Harm, int]]) -> None:
        with suppress(OSError):
            while data := server.recv(1 << 16):
                for before, after in self.tags.items():
                    data = data.replace(before, after)
                if harm:
                    kind, left = harm.pop()
                    if len(data) > left:
                        client.sendall(data[:left])
                        if kind == "stall":
                            self.ended.wait(60)
                        break
                    harm.append((kind, left - len(data)))
                client.sendall(data)
        with suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)


@dataclass
class ObjectStore:
    """A bucket, by a client of its own and by the proxy that the tested code asks."""

    client: Any
    proxy: Proxy

    def url(self, folder: str) -> str:
        return f"s3://{BUCKET}/{folder}"

    def put(self, key: str, data: bytes | Path) -> None:
        body = data.read_bytes() if isinstance(data, Path) else data
        self.client.put_object(Bucket=BUCKET, Key=key, Body=body)

    def put_folder(self, folder: Path, key: str) -> None:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self.put(f"{key}/{path.relative_to(folder).as_posix()}", path)


@pytest.fixture(scope="session")
def object_server() -> Iterator[int]:
    """The port of a server."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield server.get_host_and_port()[1]
    server.stop()


@contextmanager
def signed_in(endpoint: str) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": "someone",
            "AWS_SECRET_ACCESS_KEY": "keep-this-secret",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/nowhere",
            "AWS_SHARED_CREDENTIALS_FILE": "/nowhere",
        }.items():
            patch.setenv(name, value)
        yield


@pytest.fixture
def objects(object_server, tmp_path, monkeypatch) -> Iterator[ObjectStore]:
    """An empty bucket, and a cache folder of the test's own."""
    import boto3
    from s3fs import S3FileSystem

    monkeypatch.setenv("LOLBLUR_CACHE", str(tmp_path / "caches"))
    server = f"http://127.0.0.1:{object_server}"
    proxy = Proxy(object_server)
    with signed_in(proxy.url):
        S3FileSystem.clear_instance_cache()  # which remember the endpoint of the test before
        client = boto3.client("s3", endpoint_url=server)
        client.create_bucket(Bucket=BUCKET)
        yield ObjectStore(client, proxy)
        listed = client.list_objects_v2(Bucket=BUCKET).get("Contents", [])
        for one in listed:
            client.delete_object(Bucket=BUCKET, Key=one["Key"])
        client.close()
        S3FileSystem.clear_instance_cache()
    proxy.close()
