"""Numbers and splits of videos: those of a dataset keep theirs, others get free ones."""

from pathlib import Path

from lolblur_synth.config.run import Config
from lolblur_synth.core.errors import UserError
from lolblur_synth.core.rng import rng_for
from lolblur_synth.dataset.layout import Split
from lolblur_synth.run.made import Made
from lolblur_synth.synthesis.draws import SPLIT


def assign_splits(sources: dict[Path, str], existing: dict[str, Made], config: Config) -> dict[Path, tuple[int, Split]]:
    """Give each video its number and split: those already in the dataset keep theirs, new ones fill up.

    The split depends on content and seed only. With two or more videos and a fraction above 0 the test split has one.
    """
    known: dict[str, tuple[int, Split]] = {m.content: (m.video, m.split) for m in existing.values()}
    new = sorted(path for path, content in sources.items() if content not in known)
    total = len(known) + len(new)
    wanted = round(config.dataset.test_fraction * total)
    if total > 1 and config.dataset.test_fraction > 0:
        wanted = max(1, min(wanted, total - 1))
    wanted -= sum(split == "test" for _, split in known.values())
    by_lot = sorted(new, key=lambda path: rng_for(config.seed, SPLIT, sources[path]).random())
    test = set(by_lot[: max(0, wanted)])
    taken = {number for number, _ in known.values()}
    free = (number for number in range(10000) if number not in taken)
    if total > 10000:
        raise UserError(
            "the layout has room for 10000", where=f"{total} videos", advice="split them over several datasets"
        )
    numbers: dict[Path, tuple[int, Split]] = {path: (next(free), "test" if path in test else "train") for path in new}
    return {path: known.get(content) or numbers[path] for path, content in sources.items()}
