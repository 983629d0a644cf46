"""What several commands share: options, the settings they make, and where to print."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from lolblur_synth.core.errors import shown

if TYPE_CHECKING:
    from rich.console import Console

    from lolblur_synth.config.run import Config

Command = TypeVar("Command", bound=Callable[..., Any])
SHORTCUTS = {  # options of their own, and the settings that they are
    "seed": "seed",
    "capture_fps": "video.capture_fps",
    "size": "video.size",
    "workers": "run.workers",
    "device": "run.device",
    "cache_footage": "run.cache_footage",
    "cache_footage_gb": "run.cache_footage_gb",
}
FOLDER = click.Path(path_type=Path, file_okay=False)
PATH = click.Path(path_type=Path)


class FolderOrURL(click.Path):
    """A folder, as a path; a URL stays the text that it is, for as a path it would lose a slash."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path or the URL."""
        from lolblur_synth.remote.address import is_url

        return value if is_url(value) else super().convert(value, param, ctx)


FOOTAGE = FolderOrURL(path_type=Path)


def config_options(example: str) -> Callable[[Command], Command]:
    """The two options by which every setting can be changed."""

    def decorate(command: Command) -> Command:
        one = f"One setting, such as {example}."
        command = click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help=one)(command)
        layer = "A preset or a YAML file; later ones win."
        return click.option("--config", "sources", multiple=True, metavar="NAME|FILE", help=layer)(command)

    return decorate


def device_option(default: str | None = "auto") -> Callable[[Command], Command]:
    """Where to compute; without a default the settings tell."""
    choice = click.Choice(["auto", "cpu", "cuda"])
    where = "Where to compute; auto takes CUDA where it is."
    return click.option("--device", type=choice, default=default, show_default=True, help=where)


def run_options(command: Command) -> Command:
    """The settings of a run that have an option of their own."""
    rate = "The rate at which all videos were filmed, whatever their tags say."
    workers = "Sequences made at the same time (1); each takes eight cores at most, and memory of its own."
    options = [
        click.option("--seed", type=int, help="Same seed, same pixels."),
        click.option("--capture-fps", type=float, help=rate),
        click.option("--size", metavar="WxH|source", help="Size of the pictures."),
        click.option("--workers", type=int, help=workers),
        device_option(None),
    ]
    for option in reversed(options):
        command = option(command)
    return config_options("darken.exposure=[0.05,0.16]")(command)


def load_config(sources: tuple[str, ...], assignments: tuple[str, ...], **shortcuts: str | float | None) -> "Config":
    """The settings of a run: presets and files, then single settings, then the options of their own."""
    from lolblur_synth.config.loading import load
    from lolblur_synth.config.run import Config

    extra = [f"{SHORTCUTS[name]}={value}" for name, value in shortcuts.items() if value is not None]
    return load(Config, sources, [*assignments, *extra])


def option(name: str) -> str:
    """What a setting or parameter is on the command line; a setting without an option of its own is for --set."""
    shortcut = next((short for short, whole in SHORTCUTS.items() if whole == name), name)
    return name if "." in shortcut else f"--{shortcut.replace('_', '-')}"


def console_for(stderr: bool = False) -> "Console":
    """A console that does not squeeze its tables where nobody has set a width, and raises where nobody reads."""
    from rich.console import Console

    class Plain(Console):
        def on_broken_pipe(self) -> None:
            raise  # rich calls this where it has caught it, and would close stdout for the sake of stderr

    console = Plain(stderr=stderr)
    return console if console.is_terminal else Plain(stderr=stderr, width=120)


def warner(console: "Console") -> Callable[[str], None]:
    """What prints a warning, in one line, above the bars of progress."""

    def warn(text: str) -> None:
        console.print(shown(text, option), style="yellow", highlight=False, markup=False, soft_wrap=True)

    return warn
