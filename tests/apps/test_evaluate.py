"""The `evaluate` command: what results score, from files or from a network, and what is wrong with them."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from lolblur_synth.cli.main import cli
from lolblur_synth.config.run import Config
from lolblur_synth.core.errors import UserError
from lolblur_synth.dataset.layout import record_path
from lolblur_synth.dataset.settings import write_settings
from lolblur_synth.metrics.psnr_ssim import eight_bit, psnr, ssim
from lolblur_synth.metrics.scores import Evaluation, Score, as_text, mean
from lolblur_synth.video.images import Pixels, dequantize, read_pixels, write_png
from tests.support.commands import message
from tests.support.lednets import save_lednet
from tests.support.lpips_files import put_into_cache, random_lpips
from tests.support.staged import pair, record

SIZE = (32, 41)


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    return save_lednet(tmp_path_factory.mktemp("weights") / "narrow.safetensors")


def call(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["evaluate", *(str(argument) for argument in arguments)])


def pixels(seed: int, most: int = 256, size: tuple[int, int] = SIZE, dtype: type = np.uint8) -> Pixels:
    scale = 1 if dtype == np.uint8 else 256
    return np.random.default_rng(seed).integers(0, most * scale, (*size, 3)).astype(dtype)


def put(path: Path, picture: Pixels) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_png(path, picture)
    return path


NAMES = ("0001/0000", "0001/0001", "0002/0000")


@pytest.fixture
def trees(tmp_path) -> tuple[Path, Path]:
    """Results and truths of two sequences."""
    for number, name in enumerate(NAMES):
        put(tmp_path / f"gt/{name}.png", pixels(number))
        put(tmp_path / f"result/{name}.png", pixels(number) // 2 + pixels(number + 10, 30))
    return tmp_path / "result", tmp_path / "gt"


def dataset(root: Path, split: str = "test", dtype: type = np.uint8, size: tuple[int, int] = SIZE) -> Path:
    for number, name in enumerate(NAMES):
        put(root / split / f"low_blur_noise/{name}.png", pixels(number, 60, size, dtype))
        put(root / split / f"high_sharp_scaled/{name}.png", pixels(number + 10, size=size, dtype=dtype))
    return root


def rows(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def test_a_line_per_picture_and_means(trees, tmp_path):
    result = call("--result", trees[0], "--gt", trees[1], "--out", tmp_path / "s.csv", "--out", tmp_path / "s.json")
    assert result.exit_code == 0, result.exception
    scores = [(psnr(*both), ssim(*both)) for both in [
        (pixels(number) // 2 + pixels(number + 10, 30), pixels(number)) for number in range(3)
    ]]  # fmt: skip
    lines = rows(tmp_path / "s.csv")
    assert [line["picture"] for line in lines] == list(NAMES)
    assert [list(line) for line in lines] == [["picture", "psnr", "ssim"]] * 3
    assert [float(line["psnr"]) for line in lines] == pytest.approx([score[0] for score in scores], abs=1e-6)
    assert [float(line["ssim"]) for line in lines] == pytest.approx([score[1] for score in scores], abs=1e-6)
    content = json.loads((tmp_path / "s.json").read_text())
    assert content["convention"] == "rgb"
    assert content["result"] == str(trees[0])
    assert content["pictures"]["0002/0000"]["psnr"] == pytest.approx(scores[2][0], abs=1e-6)
    assert content["sequences"]["0001"]["psnr"] == pytest.approx(np.mean([scores[0][0], scores[1][0]]), abs=1e-6)
    assert content["total"]["ssim"] == pytest.approx(np.mean([score[1] for score in scores]), abs=1e-6)
    assert "convention rgb: PSNR and SSIM over R, G and B; means over pictures" in result.output
    table = [line.split() for line in result.output.replace("│", " ").splitlines()]
    assert ["all", "3", f"{np.mean([s[0] for s in scores]):.2f}", f"{np.mean([s[1] for s in scores]):.4f}"] in table
    assert [
        "0001",
        "2",
        f"{np.mean([s[0] for s in scores[:2]]):.2f}",
        f"{np.mean([s[1] for s in scores[:2]]):.4f}",
    ] in table


@pytest.fixture
def ours(tmp_path) -> Path:
    """A dataset with records: an easy and a hard pair, and one of before there were tiers."""
    root = tmp_path / "ours"
    told = [
        replace(pair(1), psnr_in_light=30.0),
        replace(pair(2), psnr_in_light=20.0),
        replace(pair(3), psnr=None, psnr_in_light=None),
    ]
    for number in (1, 2, 3):
        for folder, most in (("low_blur_noise", 60), ("high_sharp_scaled", 256)):
            put(root / f"test/{folder}/0003/{number:04d}.png", pixels(number, most))
    write_settings(root, Config())
    path = record_path(root, "0003-0")
    path.parent.mkdir()
    path.write_text(record(split="test", pairs=told).model_dump_json())
    return root


@pytest.mark.parametrize("by", ["network", "files"])
def test_a_dataset_of_ours_is_scored_by_tier(ours, weights, tmp_path, by):
    files = ("--result", ours / "test/low_blur_noise", "--gt", ours / "test/high_sharp_scaled")
    what = files if by == "files" else ("--weights", weights, "--data", ours)
    result = call(*what, "--out", tmp_path / "s.json", "--out", tmp_path / "s.csv")
    assert result.exit_code == 0, result.exception
    content = json.loads((tmp_path / "s.json").read_text())
    pictures = content["pictures"]
    assert content["tiers"] == {
        tier: {"pictures": 1, **pictures[f"0003/{number:04d}"]}
        for number, tier in enumerate(("easy", "hard", "unknown"), 1)
    }
    assert [line["tier"] for line in rows(tmp_path / "s.csv")] == ["easy", "hard", "unknown"]
    table = [line.split()[:2] for line in result.output.replace("│", " ").splitlines()]
    assert [line for line in table if line[1:] == ["1"] or line[:1] == ["all"]] == [
        ["easy", "1"], ["hard", "1"], ["unknown", "1"], ["all", "3"],
    ]  # fmt: skip
    assert "easy from 30 dB, hard below 24" in result.output


def test_damaged_records_cost_no_score(ours, tmp_path):
    record_path(ours, "0003-0").write_text("{")
    result = call("--result", ours / "test/low_blur_noise", "--gt", ours / "test/high_sharp_scaled")
    assert result.exit_code == 0, result.exception
    assert "no scores by tier: " in result.output
    assert "damaged record" in result.output
    assert "easy" not in result.output


def test_records_from_before_there_were_tiers_say_so(ours):
    record_path(ours, "0003-0").write_text(
        record(split="test", pairs=[replace(pair(1), psnr=None, psnr_in_light=None)]).model_dump_json()
    )
    result = call("--result", ours / "test/low_blur_noise", "--gt", ours / "test/high_sharp_scaled")
    assert "from before there were tiers" in result.output.replace("\n", " ")


@pytest.mark.parametrize("convention", ["rgb", "y", "paper"])
def test_the_convention_is_used_and_said(trees, tmp_path, convention):
    result = call("--result", trees[0], "--gt", trees[1], "--convention", convention, "--out", tmp_path / "s.csv")
    assert f"convention {convention}: " in result.output
    both = pixels(0) // 2 + pixels(10, 30), pixels(0)
    line = rows(tmp_path / "s.csv")[0]
    assert float(line["psnr"]) == pytest.approx(psnr(*both, convention), abs=1e-6)
    assert float(line["ssim"]) == pytest.approx(ssim(*both, convention), abs=1e-6)


def test_equal_pictures(trees, tmp_path):
    """Infinite in CSV; JSON has no such number."""
    result = call("--result", trees[1], "--gt", trees[1], "--out", tmp_path / "s.csv", "--out", tmp_path / "s.json")
    assert result.exit_code == 0, result.exception
    assert {line["psnr"] for line in rows(tmp_path / "s.csv")} == {"inf"}
    assert json.loads((tmp_path / "s.json").read_text())["total"] == {"psnr": None, "ssim": 1}


def test_a_picture_without_a_folder_and_other_suffixes(tmp_path):
    put(tmp_path / "gt/a.png", pixels(0))
    put(tmp_path / "result/a.png", pixels(0)).rename(tmp_path / "result/a.bmp")
    put(tmp_path / "result/a.compare.png", pixels(1))
    put(tmp_path / "result/.b.png", pixels(1))
    result = call("--result", tmp_path / "result", "--gt", tmp_path / "gt", "--out", tmp_path / "s.json")
    assert result.exit_code == 0, result.exception
    assert list(json.loads((tmp_path / "s.json").read_text())["sequences"]) == ["."]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("convention", ["rgb", "y", "paper"])
def test_from_files_and_from_the_network_is_the_same(weights, tmp_path, dtype, convention):
    data = dataset(tmp_path / "data", dtype=dtype)
    common = ("--convention", convention)
    restored, one, other = tmp_path / "restored", tmp_path / "one.csv", tmp_path / "other.csv"
    result = call("--weights", weights, "--data", data, "--save", restored, "--out", one, *common)
    assert result.exit_code == 0, result.exception
    result = call("--result", restored, "--gt", data / "test/high_sharp_scaled", "--out", other, *common)
    assert result.exit_code == 0, result.exception
    assert one.read_text() == other.read_text()
    assert len(rows(one)) == 3
    dark, again = data / "test/low_blur_noise", tmp_path / "again"
    arguments = ["restore", "--input", str(dark), "--weights", str(weights), "--out", str(again)]
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 0, result.exception
    for name in NAMES:
        assert (again / f"{name}.png").read_bytes() == (restored / f"{name}.png").read_bytes()


def test_nothing_is_written_unasked(weights, tmp_path):
    data = dataset(tmp_path / "data", "train")
    before = sorted(tmp_path.rglob("*"))
    result = call("--weights", weights, "--data", data, "--split", "train", "--sharp", "low_blur_noise")
    assert result.exit_code == 0, result.exception
    assert sorted(tmp_path.rglob("*")) == before


def test_other_folders_of_a_dataset(weights, tmp_path):
    data = dataset(tmp_path / "data")
    (data / "test/low_blur_noise").rename(data / "test/low_sharp")
    assert "low_blur_noise: no such folder" in message(call("--weights", weights, "--data", data))
    result = call("--weights", weights, "--data", data, "--dark", "low_sharp", "--out", tmp_path / "s.json")
    assert result.exit_code == 0, result.exception
    assert json.loads((tmp_path / "s.json").read_text())["dark"] == str(data / "test/low_sharp")


def test_what_has_no_partner_is_named(trees):
    (trees[0] / "0001/0000.png").unlink()
    told = message(call("--result", trees[0], "--gt", trees[1]))
    assert told.startswith(f"{trees[0] / '0001/0000'}: missing, its partner {trees[1] / '0001/0000.png'} is there; ")
    for number in range(4):
        put(trees[0] / f"0003/{number:04d}.png", pixels(0))
    told = message(call("--result", trees[0], "--gt", trees[1]))
    assert told.count("missing, its partner") == 3
    assert "; and 2 more; make the folders whole" in told
    assert len(told.splitlines()) == 1


def test_sizes_that_differ_and_files_that_cannot_be_decoded_are_named(trees, tmp_path):
    put(trees[0] / "0001/0000.png", pixels(0, size=(32, 40)))
    whole = (trees[0] / "0001/0001.png").read_bytes()
    (trees[0] / "0001/0001.png").write_bytes(whole[: len(whole) // 2])
    (trees[1] / "0002/0000.png").write_bytes(b"")
    result = call("--result", trees[0], "--gt", trees[1], "--out", tmp_path / "s.csv")
    assert isinstance(result.exception, UserError)
    told = message(result)
    assert f"{trees[0] / '0001/0000.png'}: 40x32, its partner {trees[1] / '0001/0000.png'} 41x32; " in told
    assert f"{trees[0] / '0001/0001.png'}: not a picture that can be decoded" in told
    assert f"{trees[1] / '0002/0000.png'}: not a picture that can be decoded" in told
    assert len(told.splitlines()) == 1
    assert not (tmp_path / "s.csv").exists()


def test_pictures_too_small_for_a_window(weights, tmp_path):
    data = dataset(tmp_path / "data", size=(10, 33))
    truth = data / "test/high_sharp_scaled"
    told = message(call("--result", truth, "--gt", truth))
    assert f"{truth / '0001/0000.png'}: 33x10, and the metrics need 11 pixels each way" in told
    told = message(call("--weights", weights, "--data", data))
    assert "low_blur_noise/0001/0000.png: 33x10, and the metrics need 11 pixels each way" in told


def test_a_dataset_with_faults(weights, tmp_path):
    data = dataset(tmp_path / "data")
    (data / "test/high_sharp_scaled/0001/0001.png").unlink()
    whole = (data / "test/low_blur_noise/0002/0000.png").read_bytes()
    (data / "test/low_blur_noise/0002/0000.png").write_bytes(whole[:-20])
    told = message(call("--weights", weights, "--data", data, "--save", tmp_path / "r"))
    assert "high_sharp_scaled/0001/0001.png: missing" in told
    assert "low_blur_noise/0002/0000.png: is cut off" in told
    assert not (tmp_path / "r").exists()


def test_damage_in_the_middle_of_a_file(weights, tmp_path):
    data = dataset(tmp_path / "data")
    path = data / "test/low_blur_noise/0001/0001.png"
    content = bytearray(path.read_bytes())
    content[60:400] = bytes(340)
    path.write_bytes(bytes(content))
    result = call("--weights", weights, "--data", data, "--out", tmp_path / "s.csv")
    assert isinstance(result.exception, UserError)
    assert f"{path}: not a picture that can be decoded" in message(result)
    assert not (tmp_path / "s.csv").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("", "give --result and --gt, or --weights and --data"),
        ("--result result", "give --result and --gt"),
        ("--result result --gt gt --weights w.pth", "give --result and --gt"),
        ("--result result --data data", "give --result and --gt"),
        ("--result result --gt gt --save s", "--weights and --data, which --save, --tile and --half go with"),
        ("--weights WEIGHTS --data data --save data/test/low_blur_noise --overwrite", "lies in the dataset"),
        ("--result none --gt gt", "--result none: there is no such folder"),
        ("--result result --gt empty", "--gt empty: no pictures in this folder or below"),
        ("--result twice --gt gt", "have one name; keep one of them"),
        ("--result result --gt gt --out s.txt", "--out s.txt: name a file that ends in .csv or .json"),
        ("--result result --gt gt --out no/s.csv", "does not exist; make it first"),
        ("--result result --gt gt --out there.csv", "there.csv: exists; name another file, or --overwrite"),
        ("--weights WEIGHTS --data none", "no such folder"),
        ("--weights WEIGHTS --data data --split train", "no such folder"),
        ("--weights WEIGHTS --data data --save saved", "saved/0002/0000.png exists; name another folder"),
        ("--weights WEIGHTS --data data --tile 8", "--tile 8: give 64 pixels or more"),
        ("--weights WEIGHTS --data data --half --device cpu", "--half: float16 is faster on CUDA only"),
        ("--weights none.pth --data data", "cannot be read"),
    ],
)
def test_requests_that_cannot_be_met(weights, trees, tmp_path, monkeypatch, arguments, told):
    dataset(tmp_path / "data")
    (tmp_path / "empty").mkdir()
    put(tmp_path / "twice/a.png", pixels(0))
    put(tmp_path / "twice/b.png", pixels(0)).rename(tmp_path / "twice/a.bmp")
    put(tmp_path / "saved/0002/0000.png", pixels(0))
    (tmp_path / "there.csv").write_text("of before")
    monkeypatch.chdir(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    result = call(*arguments.replace("WEIGHTS", str(weights)).split())
    assert isinstance(result.exception, UserError)
    assert told in message(result)
    assert len(message(result).splitlines()) == 1
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


def test_overwriting(weights, trees, tmp_path):
    (tmp_path / "s.csv").write_text("of before")
    assert call("--result", trees[0], "--gt", trees[1], "--out", tmp_path / "s.csv", "--overwrite").exit_code == 0
    assert len(rows(tmp_path / "s.csv")) == 3
    put(tmp_path / "saved/0002/0000.png", pixels(0))
    before = (tmp_path / "saved/0002/0000.png").read_bytes()
    data = dataset(tmp_path / "data")
    result = call("--weights", weights, "--data", data, "--save", tmp_path / "saved", "--overwrite")
    assert result.exit_code == 0, result.exception
    assert (tmp_path / "saved/0002/0000.png").read_bytes() != before


def test_lpips_that_is_not_there(trees, weights, tmp_path, monkeypatch):
    monkeypatch.setenv("LOLBLUR_WEIGHTS", str(tmp_path / "cache"))
    for arguments in (("--result", trees[0], "--gt", trees[1]), ("--weights", weights, "--data", tmp_path / "data")):
        dataset(tmp_path / "data")
        for option, name in ((["--lpips"], "vgg16"), (["--lpips", "alex"], "alexnet")):
            result = call(*arguments, *option)
            assert isinstance(result.exception, UserError)
            told = message(result)
            assert f"weights {name}: not in {tmp_path / 'cache'}; get them by " in told
            assert len(told.splitlines()) == 1


@pytest.mark.parametrize("convention", ["rgb", "paper"])
def test_lpips(weights, tmp_path, monkeypatch, convention):
    """The same from files and from the network; by the paper's convention the network sees red and blue exchanged."""
    net = random_lpips("alex")
    put_into_cache(tmp_path / "cache", net, "alex", monkeypatch)
    data, restored = dataset(tmp_path / "data", dtype=np.uint16), tmp_path / "restored"
    common = ("--convention", convention, "--lpips", "alex")
    result = call("--weights", weights, "--data", data, "--save", restored, "--out", tmp_path / "one.csv", *common)
    assert result.exit_code == 0, result.exception
    assert "; LPIPS 0.1 by alex; " in result.output
    truth = data / "test/high_sharp_scaled"
    result = call("--result", restored, "--gt", truth, "--out", tmp_path / "other.csv", *common)
    assert result.exit_code == 0, result.exception
    assert (tmp_path / "one.csv").read_text() == (tmp_path / "other.csv").read_text()
    lines = rows(tmp_path / "one.csv")
    for line in lines:
        both = [eight_bit(read_pixels(folder / f"{line['picture']}.png")) for folder in (restored, truth)]
        if convention == "paper":
            both = [np.ascontiguousarray(picture[..., ::-1]) for picture in both]
        distance = net(*(dequantize(picture)[None] for picture in both)).item()
        assert float(line["lpips"]) == pytest.approx(distance, abs=2e-6)
    assert f"{np.mean([float(line['lpips']) for line in lines]):.4f}" in result.output


def test_means_leave_no_distance_where_none_was_measured():
    scores = [Score("a/0", 20, 0.5), Score("a/1", 30, 0.7)]
    assert mean("a", scores) == Score("a", 25, pytest.approx(0.6), None)
    assert mean("a", [Score("a/0", 20, 0.5, 0.1), Score("a/1", 30, 0.7, 0.3)]).lpips == pytest.approx(0.2)
    assert list(Evaluation("rgb", None, {}, [*scores, Score("b/0", 1, 1)]).sequences()) == ["a", "b"]


def test_names_that_are_not_utf8_are_written_escaped():
    evaluation = Evaluation("rgb", None, {"result": "r\udcff"}, [Score("a\udcff\n", 30.0, 0.9)])
    assert as_text(evaluation, ".csv") == "picture,psnr,ssim\na\\xff\\n,30.000000,0.900000\n"
    content = json.loads(as_text(evaluation, ".json"))
    assert (content["result"], list(content["pictures"])) == (r"r\xff", [r"a\xff\n"])
