"""The command: where it writes, what it refuses, and that what was there is whole."""

import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from lolblur_synth.apps.report.report import REPORT, write_report
from lolblur_synth.cli.main import cli
from lolblur_synth.core.errors import SequenceError, UserError
from lolblur_synth.dataset.layout import SETTINGS, record_path
from tests.support.commands import message
from tests.support.disks import small_files
from tests.support.reported import make_dataset


def quiet(done: int, total: int) -> None:
    pass


def report(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["report", *map(str, arguments)])


@pytest.fixture
def dataset(tmp_path) -> Path:
    return make_dataset(tmp_path / "d")


def test_the_page_is_one_file_that_is_the_same_each_time(dataset, tmp_path):
    result = report(dataset, "--out", tmp_path / "a.html")
    assert result.exit_code == 0, result.output
    assert f"look at:  {tmp_path / 'a.html'}" in result.output
    assert "pictures of 12 of 12 pairs" in result.output
    assert report(dataset, "--out", tmp_path / "b.html").exit_code == 0
    page = (tmp_path / "a.html").read_bytes()
    assert page == (tmp_path / "b.html").read_bytes()
    asked = []

    class Addresses(HTMLParser):
        def handle_starttag(self, tag, attrs):
            asked.extend(value for name, value in attrs if name in ("src", "href", "srcset", "data", "action"))

    Addresses().feed(page.decode())
    assert asked
    assert all(value.startswith(("#", "data:")) for value in asked)
    assert b"@import" not in page
    assert b"url(" not in page


def test_it_goes_into_the_dataset_unless_another_place_is_named(dataset):
    assert report(dataset).exit_code == 0
    assert (dataset / REPORT).is_file()
    again = report(dataset)
    assert message(again) == f"--out {dataset / REPORT}: exists; name another file, or --overwrite"
    assert report(dataset, "--overwrite").exit_code == 0


def test_what_cannot_be_is_refused_in_one_line(dataset, tmp_path):
    for arguments, told in (
        ((tmp_path / "none",), "there is no such folder"),
        ((dataset, "--out", tmp_path / "a.txt"), "name a file that ends in .html"),
        ((dataset, "--out", tmp_path / "no/a.html"), "does not exist; make it first"),
        ((dataset, "--videos", tmp_path / "no"), f"{tmp_path / 'no'}"),
    ):
        result = report(*arguments)
        assert isinstance(result.exception, UserError), arguments
        assert told in message(result)
        assert len(message(result).splitlines()) == 1


def test_without_records_it_shows_less_and_says_so(dataset, tmp_path):
    shutil.rmtree(dataset / "records")
    (dataset / SETTINGS).unlink()
    result = report(dataset, "--out", tmp_path / "a.html")
    assert result.exit_code == 0
    assert "The pairs have no record: their draws, motion blur" in " ".join(result.output.split())
    text = (tmp_path / "a.html").read_text()
    assert "The pairs have no record" in text
    assert "No record tells." in text
    assert "mean L*" in text  # measured
    videos = tmp_path / "videos"
    videos.mkdir()
    refused = report(dataset, "--out", tmp_path / "b.html", "--videos", videos)
    assert message(refused).startswith(f"--videos {videos}: is of no use")


def test_records_of_another_version_are_told(dataset, tmp_path):
    for name in ("0003-0", "0005-0"):
        path = record_path(dataset, name)
        path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 3}))
    result = report(dataset, "--out", tmp_path / "a.html")
    assert result.exit_code == 0
    assert "record format 3, this version reads 4 and 5" in (tmp_path / "a.html").read_text()


def test_a_picture_that_is_gone_is_named_and_the_others_are_shown(dataset, tmp_path):
    (dataset / "train/low_blur/0003/0002.png").unlink()
    result = report(dataset, "--out", tmp_path / "a.html")
    assert isinstance(result.exception, SequenceError)
    assert "1 pictures cannot be shown" in message(result)
    assert "not shown: train/low_blur/0003/0002.png: cannot be read: No such file" in result.output
    assert (tmp_path / "a.html").is_file()


def test_a_full_disk_costs_nothing_that_was_there(dataset, tmp_path):
    out = tmp_path / "a.html"
    out.write_text("before")
    with small_files(1000), pytest.raises(UserError, match="the report cannot be written: File too large; make room"):
        write_report(dataset, out, quiet)
    assert out.read_text() == "before"
    assert [path.name for path in tmp_path.iterdir() if "partial" in path.name] == []


def test_pictures_lie_in_inert_scripts_of_their_own(dataset, tmp_path):
    write_report(dataset, tmp_path / "a.html", quiet)
    text = (tmp_path / "a.html").read_text()
    kept = re.findall(r'<script type="text/plain" id="p(\d+)-(\d)">[\w+/=]+</script>', text)
    assert [(int(number), int(folder)) for number, folder in kept] == [(n, f) for n in range(12) for f in range(5)]


def test_the_package_and_its_help_load_no_template_engine():
    code = (
        "import sys, lolblur_synth, lolblur_synth.cli.main as c\n"
        "from click.testing import CliRunner\n"
        "assert CliRunner().invoke(c.cli, ['report', '--help']).exit_code == 0\n"
        "assert not {'jinja2', 'torch', 'cv2'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
