"""The pages: links lead somewhere, and every path, function, option and setting that they name is there."""

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from pydantic import BaseModel

from lolblur_synth.cli.main import cli
from lolblur_synth.config.run import Config
from lolblur_synth.config.training import TrainECDCE, TrainLEDNet

ROOT = Path(__file__).parents[1]
NAMES = "README.md", "CONTRIBUTING.md", "CHANGELOG.md"
PAGES = [*(ROOT / name for name in NAMES), *sorted((ROOT / "docs").glob("*.md"))]
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def anchors(page: Path) -> set[str]:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@every_page
def test_nothing_is_left_of_a_merge(page: Path):
    assert re.findall(r"^(?:<{7}|={7}|>{7})(?: .*)?$", page.read_text(), re.MULTILINE) == []


@every_page
def test_links_lead_to_files_and_headings(page: Path):
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", page.read_text()):
        name, _, anchor = target.partition("#")
        file = page.parent / name if name else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


@every_page
def test_functions_are_in_the_files_that_are_said_to_have_them(page: Path):
    for name, functions in re.findall(r"`([\w/]+\.py)`: ((?:`\w+`(?:, )?)+)", page.read_text()):
        if "NAME" in name + functions:  # a recipe's, of what is to be made
            continue
        text = (ROOT / "lolblur_synth" / name).read_text()
        for function in re.findall(r"\w+", functions):
            defined = rf"^(?:def|class) {function}\b|^{function}\b.* = "
            assert re.search(defined, text, re.MULTILINE), f"{name}: {function}"


def commands(command: click.Command, name: str = "") -> Iterator[tuple[str, set[str]]]:
    yield name, {option for parameter in command.params for option in parameter.opts}
    for word, below in getattr(command, "commands", {}).items():
        yield from commands(below, f"{name} {word}".strip())


@every_page
def test_commands_and_their_options_are_there(page: Path):
    options = dict(commands(cli))
    for words, rest in re.findall(r"lolblur[-_]synth ([a-z][\w-]*(?: [a-z]+)?)([^`\n#]*)", page.read_text()):
        command = words if words in options else words.split()[0]
        if command == "as":  # `import lolblur_synth as lb`
            continue
        assert command in options, words
        assert set(re.findall(r"(?<!\w)--[a-z][\w-]*", rest)) <= options[command], (command, rest)


def settings(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield prefix + name
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from settings(field.annotation, f"{prefix}{name}.")


@every_page
def test_settings_are_there(page: Path):
    known = {name for model in (Config, TrainECDCE, TrainLEDNet) for name in settings(model)}
    sections = "|".join(name for name in Config.model_fields if f"{name}." in " ".join(known))
    named = set(re.findall(rf"`((?:{sections})\.\w+)(?=[`=\[])", page.read_text()))
    assert {name for name in named if not name.endswith((".py", ".yaml"))} <= known
