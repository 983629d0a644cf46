"""Croissant by its own library: valid, and its records are those of the dataset; our check sees what that passes."""

import json
import shutil
from pathlib import Path

import mlcroissant
import numpy as np
import pytest
from click.testing import CliRunner

from lolblur_synth.cli.main import cli
from lolblur_synth.core.errors import UserError
from lolblur_synth.dataset.about import read_about
from lolblur_synth.dataset.croissant import CROISSANT, REQUIRED
from lolblur_synth.dataset.layout import FOLDERS
from lolblur_synth.dataset.reader import read_dataset
from lolblur_synth.dataset.rows import COLUMNS, rows
from lolblur_synth.dataset.verify import verify
from tests.support.packed import make_dataset

pytestmark = pytest.mark.filterwarnings("ignore:ConjunctiveGraph:DeprecationWarning")  # rdflib 7.6, of its own parser
TOLD = {
    "name": "Night clips", "description": "Clips of the night.", "license": "cc-by-4.0", "creators": "[Ada Example]",
    "url": "https://example.org/night", "published": "2026-11-30", "data_limitations": "Few clips.",
    "data_biases": "One town.", "personal_sensitive_information": "Nobody is shown.", "data_use_cases": "Restoration.",
    "data_social_impact": "None known.",
}  # fmt: skip


def describe(root: Path, **told: str) -> str:
    words = [word for name, value in told.items() for word in ("--set", f"about.{name}={value}")]
    result = CliRunner().invoke(cli, ["describe", str(root), *words], catch_exceptions=False, standalone_mode=False)
    if isinstance(result.exception, UserError):
        raise result.exception
    return result.output


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    root = make_dataset(tmp_path_factory.mktemp("croissant") / "dataset")
    describe(root, **TOLD)
    return root


@pytest.fixture
def root(made, tmp_path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "dataset"))


def test_the_library_finds_nothing_to_say(made):
    dataset = mlcroissant.Dataset(str(made / CROISSANT))
    assert not dataset.metadata.ctx.issues.errors
    assert dataset.metadata.ctx.issues.warnings <= {
        '[Metadata(Night clips)] Property "http://mlcommons.org/croissant/citeAs" is recommended, but does not exist.'
    }
    assert dataset.metadata.data_limitations == ["Few clips."]


def test_its_records_are_the_pairs(made):
    dataset = mlcroissant.Dataset(str(made / CROISSANT))
    for split in ("train", "test"):
        pairs = read_dataset(made, split)
        numbers = {row.pair: row for pair in pairs for row in rows(pair.sequence)}
        found = [{name.partition("/")[2]: value for name, value in one.items()} for one in dataset.records(split)]
        assert [one["pair"].decode() for one in found] == [pair.name for pair in pairs]
        for one, pair in zip(found, pairs, strict=True):
            assert (made / split / one["low_blur_file_name"].decode()).samefile(pair.paths["low_blur"])
            for column in COLUMNS:
                value, wanted = one.get(column.name), getattr(numbers[pair.name], column.name)
                if value is None:
                    assert wanted is None
                elif column.kind is float:  # the library reads them by pandas, to some twelve digits
                    assert value == pytest.approx(wanted, rel=1e-9)
                else:
                    assert (value.decode() if isinstance(value, bytes) else value) == wanted


def test_its_pictures_are_those_of_the_pairs(made):
    pictures = {one["pictures-by-path/path"].decode(): one["pictures-by-path/picture"] for one in (
        mlcroissant.Dataset(str(made / CROISSANT)).records("pictures-by-path")
    )}  # fmt: skip
    pairs = read_dataset(made)
    assert len(pictures) == len(pairs) * len(FOLDERS)
    for pair in pairs:
        for folder, path in pair.paths.items():
            assert np.array_equal(np.asarray(pictures[path.relative_to(made).as_posix()]), pair.pixels(folder))


def test_where_it_is_from_and_what_made_it_stands_in_it(made):
    found = json.loads((made / CROISSANT).read_text())
    assert {source["@id"] for source in found["prov:wasDerivedFrom"]} == {f"urn:sha256:{'5' * 64}"}
    assert found["prov:wasGeneratedBy"]["prov:wasAssociatedWith"]["softwareVersion"] == "0.1.0"
    assert found["prov:wasGeneratedBy"]["description"].startswith("seed 0; settings: dataset.yaml, sha256 ")
    assert (found["license"], found["rai:hasSyntheticData"]) == ("https://creativecommons.org/licenses/by/4.0/", True)


def test_what_is_not_told_is_asked_for_by_name(tmp_path):
    root = make_dataset(tmp_path / "dataset")
    told = {name: TOLD[name] for name in ("license", "url")}
    asked = ", ".join(f"about.{name}" for name in REQUIRED if name not in told)
    assert describe(root, **told).splitlines()[-1] == f"croissant.json still needs {asked}"
    assert not (root / CROISSANT).exists()
    assert "license: cc-by-4.0\n" in (root / "README.md").read_text()
    assert describe(root, **TOLD).splitlines()[-1] == "croissant.json is written"
    assert verify(root)[1] == []
    assert describe(root, data_biases="null").splitlines()[-1] == "croissant.json still needs about.data_biases"
    assert not (root / CROISSANT).exists()
    assert read_about(root).license == "cc-by-4.0"


def change(root: Path, **changes: object) -> list[str]:
    """What is found after keys were set in croissant.json, or taken out by `...`."""
    content = json.loads((root / CROISSANT).read_text())
    content = {key: value for key, value in {**content, **changes}.items() if value is not ...}
    (root / CROISSANT).write_text(json.dumps(content))
    return verify(root)[1]


def test_our_check_sees_what_the_library_passes(root):
    assert verify(root)[1] == []
    whole = (root / CROISSANT).read_text()
    assert change(root, **{"rai:nonsense": 1}) == ["croissant.json: rai:nonsense: no known key"]
    mlcroissant.Dataset(str(root / CROISSANT))
    (root / CROISSANT).write_text(whole)
    assert change(root, **{"rai:dataBiases": ...}) == ["croissant.json: rai:dataBiases: is absent"]
    mlcroissant.Dataset(str(root / CROISSANT))
    (root / CROISSANT).write_text(whole)
    (fault,) = change(root, name="Another")
    assert fault == "croissant.json: name: is Another, and should be Night clips"
    wrong = whole.replace(json.loads(whole)["distribution"][0]["sha256"], "0" * 64)
    (root / CROISSANT).write_text(wrong)
    faults = verify(root)[1]
    assert [fault.partition(": is ")[0] for fault in faults] == [
        "croissant.json: distribution.0.sha256", "croissant.json: prov:wasGeneratedBy.description",
    ]  # fmt: skip
    mlcroissant.Dataset(str(root / CROISSANT))
    for damage, told in (("{", "is no JSON"), ("[" * 100_000, "is no JSON"), ("[]", "is [], and should be")):
        (root / CROISSANT).write_text(damage)
        assert told in verify(root)[1][0]


def test_a_file_that_changed_is_found_by_its_hash(root):
    path = root / "train/metadata.jsonl"
    path.write_text(path.read_text().replace("iso1.5", "iso1.7"))
    assert [fault.partition(": is ")[0] for fault in verify(root)[1]] == ["croissant.json: distribution.2.sha256"]
    path.unlink()
    assert verify(root)[1][0].startswith("croissant.json: cannot be checked: ")


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"license": "mine"}, "'mine' is none of apache-2.0, .*: give license_url with it, too"),
        ({"license_url": "ftp://x"}, "about.license_url: String should match pattern"),
        ({"published": "2026-13-01"}, "about.published: String should match pattern"),
        ({"licence": "mit"}, "about.licence: unknown key, did you mean about.license?"),
    ],
)
def test_what_cannot_be_told_is_refused(root, told, message):
    before = (root / "README.md").read_text()
    with pytest.raises(UserError, match=message):
        describe(root, **told)
    assert (root / "README.md").read_text() == before
    with pytest.raises(UserError, match="not a dataset made by"):
        describe(root / "train")


def test_a_licence_without_a_name_of_the_hub_has_its_link(root):
    describe(root, license="City of X Open Data", license_url="https://example.org/licence")
    head = (root / "README.md").read_text().split("---\n")[1]
    assert "license: other\nlicense_name: city-of-x-open-data\nlicense_link: https://example.org/licence\n" in head
