"""Needs follow from costs in closed form; costs are those of sequences that were really made."""

import json
from dataclasses import replace

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from lolblur_synth.cli.main import cli
from lolblur_synth.core.errors import UserError
from lolblur_synth.run.costs import Costs, Line, Machine, _line, needs
from tests.support.footage import SMALL, film

COSTS = Costs(
    device="cpu", threads=4, videos=2, sequences=4, pairs=100, footage_seconds=20.0, source_bytes=10**9, scan=36.0,
    startup=0.0, work=Line(10.0, 3.6), read=Line(10**6, 10**5), busy=0.5, memory=2 << 30, picture_bytes=4e6,
    text_bytes=1e4,
)  # fmt: skip
MACHINE = Machine(16, 64 << 30)


def test_what_a_hundred_times_the_footage_needs():
    found = needs(COSTS, 10_000, MACHINE)
    assert (found.sequences, found.footage, found.workers) == (400, 100, 4)
    assert found.core_hours == pytest.approx((100 * 36 + 400 * 10 + 10_000 * 3.6) / 3600)
    assert found.hours == pytest.approx(found.core_hours / 8)
    assert found.cores_for_a_day == 2  # 12.1 hours of a core that is at work half of the time
    assert found.memory == 4 * COSTS.memory
    assert found.disk == pytest.approx(10_000 * 4.01e6)
    assert found.read == pytest.approx(100 * 1e9 + 400 * 1e6 + 10_000 * 1e5)
    assert found.bytes_per_second == pytest.approx((found.read + found.disk) / 3600 / found.hours)


def test_memory_and_sequences_bound_the_workers():
    assert needs(COSTS, 10_000, replace(MACHINE, memory=5 << 30)).workers == 2
    assert needs(COSTS, 30, MACHINE).workers == 1
    with pytest.raises(UserError, match=r"a worker takes 2.0 GB"):
        needs(COSTS, 10_000, replace(MACHINE, memory=1 << 30))


def test_each_process_starts():
    starting = replace(COSTS, startup=3600.0)
    assert needs(starting, 10_000, MACHINE).core_hours == pytest.approx(needs(COSTS, 10_000, MACHINE).core_hours + 5)


def test_on_cuda_a_worker_has_a_gpu():
    found = needs(replace(COSTS, device="cuda", threads=1, busy=1.0), 10_000, replace(MACHINE, gpus=2))
    assert (found.workers, found.gpus) == (2, 2)
    assert found.hours == pytest.approx(found.core_hours / 2)


@given(st.floats(0, 1e3), st.floats(0, 1e3), st.integers(1, 5))
def test_a_line_goes_through_what_was_measured(fixed, each, count):
    short = [(1, fixed + each)] * count
    long = [(5, fixed + 5 * each)] * count
    found = _line(short, long)
    assert found.of(7, 100) == pytest.approx(7 * fixed + 100 * each, rel=1e-6, abs=1e-6)


def test_nothing_costs_less_than_nothing():
    assert _line([(1, 3.0)], [(5, 2.0)]) == Line(3.0, 0.0)
    assert _line([(1, 1.0)], [(5, 10.0)]).fixed == 0.0
    assert _line([(1, 3.0)], [(1, 4.0)]) == Line(0.0, 3.0)


def test_the_command_measures_real_pairs_and_writes_nothing(tmp_path):
    film(tmp_path / "videos" / "a.mkv")
    words = ["plan", "--videos", str(tmp_path / "videos"), *SMALL, "--set", "denoise.backend=none"]
    machine = ["--machine", "cores=8,memory=16", "--pairs", "40", "--pairs", "4000", "--samples", "1"]
    result = CliRunner().invoke(cli, [*words, *machine, "--json"])
    assert result.exit_code == 0, result.output
    content = json.loads(result.stdout)
    costs, (small, large) = content["costs"], content["needs"]
    assert (costs["sequences"], costs["pairs"], costs["videos"]) == (2, 4, 1)
    assert content["machine"] == {"cores": 8, "memory": 16 << 30, "gpus": content["machine"]["gpus"]}
    assert costs["work"]["each"] > 0
    assert costs["memory"] > 100e6
    assert costs["source_bytes"] == (tmp_path / "videos" / "a.mkv").stat().st_size
    assert 10_000 < costs["picture_bytes"] < 5 * 128 * 96 * 3
    assert (small["footage"], large["footage"]) == (10, 1000)
    assert large["disk"] == pytest.approx(100 * small["disk"])
    assert [path.name for path in tmp_path.iterdir()] == ["videos"]


@pytest.mark.parametrize("machine", ["cores=0", "cores=2,cores=3", "disks=3", "memory=many", "cores"])
def test_a_machine_that_is_none_is_refused(tmp_path, machine):
    result = CliRunner().invoke(cli, ["plan", "--videos", str(tmp_path), "--machine", machine], standalone_mode=False)
    assert isinstance(result.exception, UserError)
    assert "is no part of a machine" in str(result.exception)
