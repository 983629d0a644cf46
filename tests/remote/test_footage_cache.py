"""The cache of footage never grows beyond its bound, and takes nothing away from who reads it."""

import multiprocessing
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lolblur_synth.core.errors import SequenceError, UserError
from lolblur_synth.remote.footage_cache import FootageCache, Wanted


def wanted(name: str, size: int) -> Wanted:
    return Wanted(name * 64, {"clip.mp4": size})


def fetching(want: Wanted, fetched: list[str]):
    def fetch(draft: Path) -> None:
        fetched.append(want.key[0])
        for name, size in want.sizes.items():
            (draft / name).write_bytes(bytes(size))

    return fetch


def use(cache: FootageCache, want: Wanted, fetched: list[str], warn=pytest.fail) -> None:
    with cache.holding(want, fetching(want, fetched), warn) as folder:
        assert (folder / "clip.mp4").stat().st_size == want.size


def kept(cache: FootageCache) -> set[str]:
    return {path.name[0] for path in cache.place.iterdir() if path.is_dir()}


def test_what_was_not_used_for_longest_goes_first(tmp_path):
    cache, fetched = FootageCache(str(tmp_path), 100), list[str]()
    for name in "abc":
        use(cache, wanted(name, 30), fetched)
        time.sleep(0.02)
    use(cache, wanted("a", 30), fetched)
    time.sleep(0.02)
    use(cache, wanted("d", 50), fetched)
    assert fetched == ["a", "b", "c", "d"]
    assert kept(cache) == {"a", "d"}
    assert {path.name for path in tmp_path.iterdir()} == {
        *(f"{name * 64}{end}" for name in "ad" for end in ("", ".pin")), ".lock",
    }  # fmt: skip


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.booleans()), max_size=12), st.integers(40, 200))
def test_it_never_holds_more_than_it_may(tmp_path_factory, uses, most):
    cache = FootageCache(str(tmp_path_factory.mktemp("cache")), most)
    sizes = {name: 10 * (1 + "abcdef".index(name)) for name in "abcdef"}
    for name, fails in uses:
        want = wanted(name, sizes[name])
        if want.size > most:
            with pytest.raises(SequenceError, match="more than"):
                use(cache, want, [])
            continue
        if fails and name not in kept(cache):

            def broken(draft: Path, size: int = want.size) -> None:
                (draft / "clip.mp4").write_bytes(bytes(size // 2))
                raise SequenceError("it broke off")

            with pytest.raises(SequenceError, match="broke off"), cache.holding(want, broken, pytest.fail):
                pass
        else:
            use(cache, want, [])
            assert name in kept(cache)
        found = [path for path in cache.place.rglob("*") if path.name == "clip.mp4"]
        assert sum(path.stat().st_size for path in found) <= most
        assert not [*cache.place.glob(".*.fetching")]


def test_what_is_in_use_stays_and_others_wait_for_room(tmp_path):
    cache, told = FootageCache(str(tmp_path), 100), list[str]()
    a, b = wanted("a", 60), wanted("b", 60)
    arrived = threading.Event()

    def other() -> None:
        with cache.holding(b, fetching(b, []), told.append):
            arrived.set()

    with cache.holding(a, fetching(a, []), pytest.fail) as folder:
        thread = threading.Thread(target=other)
        thread.start()
        assert not arrived.wait(1.2)
        assert (folder / "clip.mp4").exists()
        assert told == [f"waiting for room in {tmp_path}: all footage that is kept there is in use"]
    assert arrived.wait(20)
    thread.join()
    assert kept(cache) == {"b"}


def _held(folder: str, go: str) -> None:
    """In a process of its own: use two videos in turn, and write what was fetched."""
    cache, fetched = FootageCache(folder, 100), list[str]()
    for name in "ababab":
        use(cache, wanted(name, 60), fetched, warn=lambda text: None)
    Path(go).write_text("".join(fetched))


def test_processes_share_it(tmp_path):
    """Of three that want two videos, of which one fits, each gets what it wants, whole."""
    context = multiprocessing.get_context("spawn")
    runs = [context.Process(target=_held, args=(str(tmp_path / "c"), str(tmp_path / f"{n}"))) for n in range(3)]
    for run in runs:
        run.start()
    for run in runs:
        run.join(60)
        assert run.exitcode == 0
    assert kept(FootageCache(str(tmp_path / "c"), 100)) in ({"a"}, {"b"})


KILLED = """
import os, signal, sys
from pathlib import Path
from lolblur_synth.remote.footage_cache import FootageCache, Wanted
def fetch(draft):
    (draft / "clip.mp4").write_bytes(bytes(30))
    os.kill(os.getpid(), signal.SIGKILL)
with FootageCache(sys.argv[1], 100).holding(Wanted(sys.argv[2] * 64, {"clip.mp4": 60}), fetch, print):
    pass
"""


def test_what_a_killed_process_left_is_no_video_and_goes(tmp_path):
    for name in "ab":
        assert subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), name], check=False).returncode == -9
        assert [*tmp_path.glob(".*.fetching")]
        fetched = list[str]()
        use(FootageCache(str(tmp_path), 100), wanted(name, 60), fetched)
        assert fetched == [name]
        assert not [*tmp_path.glob(".*.fetching")]
    assert kept(FootageCache(str(tmp_path), 100)) == {"b"}


def test_a_copy_that_somebody_has_cut_is_fetched_anew(tmp_path):
    cache, fetched = FootageCache(str(tmp_path), 100), list[str]()
    use(cache, wanted("a", 60), fetched)
    os.truncate(tmp_path / ("a" * 64) / "clip.mp4", 20)
    use(cache, wanted("a", 60), fetched)
    assert fetched == ["a", "a"]


def test_pins_of_others_words_are_no_trap(tmp_path):
    for text in (b"", b"nonsense", b"-5", b"9" * 100):
        (tmp_path / f"{'f' * 64}.pin").write_bytes(text)
        use(FootageCache(str(tmp_path), 100), wanted("a", 60), [])


def test_where_it_lies_is_a_matter_of_the_machine(tmp_path, monkeypatch):
    monkeypatch.setenv("SCRATCH", str(tmp_path / "scratch"))
    assert FootageCache("$SCRATCH/footage").place == tmp_path / "scratch/footage"
    monkeypatch.delenv("SCRATCH")
    with pytest.raises(UserError, match="names a variable that is not set here"):
        _ = FootageCache("$SCRATCH/footage").place
    monkeypatch.setenv("LOLBLUR_CACHE", str(tmp_path))
    assert FootageCache().place == tmp_path / "footage"
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="copies of footage cannot be kept"):
        use(FootageCache(str(tmp_path / "file")), wanted("a", 1), [])
