"""The page of a pack (README.md): what is in it, and how to read it, with the head that the Hugging Face Hub reads."""

from lolblur_synth.config.about import About
from lolblur_synth.core.errors import shown
from lolblur_synth.dataset.card_head import head, licensing
from lolblur_synth.dataset.layout import FOLDERS, Split
from lolblur_synth.dataset.packs.contents import CONTENTS, ORIGIN
from lolblur_synth.dataset.packs.plan import Kind, PackPlan

_FORMS: dict[Kind, str] = {
    "webdataset": "WebDataset shards: a sample per pair by the key VVVV/FFFF, with `json` and five pictures, ",
    "lmdb": "LMDBs in the layout of BasicSR, one for each folder of a split, with `meta_info.txt`: ",
    "parquet": "Parquet: a row per pair, with columns of what was drawn and measured, and five pictures: ",
}


def render(plan: PackPlan, about: About) -> str:
    """The page as Markdown."""
    kind = plan.options.kind
    splits = list(dict.fromkeys(planned.split for planned in plan.files))
    endings: dict[Kind, str] = {"webdataset": "-*.tar", "lmdb": "/**", "parquet": "-*.parquet"}
    files: list[tuple[Split, str]] = [(split, f"{split}{endings[kind]}") for split in splits]
    lines = [] if kind == "lmdb" else head(about, plan.pairs, files)
    lines += [
        f"# {shown(about.name or 'A low-light blur dataset, packed')}",
        "",
        f"{plan.pairs} pairs in {len(plan.files)} files. {_FORMS[kind]}{', '.join(f'`{name}`' for name in FOLDERS)}.",
        "",
        *_reading(plan, splits),
        "",
        f"`{CONTENTS}` has the sha256 of each file, `{ORIGIN}/` the records of the dataset and its card. "
        "`lolblur-synth verify DIR` decodes and hashes every picture again.",
        "",
        *licensing(about),
    ]
    return "\n".join(lines)


def _reading(plan: PackPlan, splits: list[Split]) -> list[str]:
    """How its users read it."""
    kind, split = plan.options.kind, splits[0]
    if kind == "webdataset":
        cut = ["`decode` of webdataset and `datasets` cut their 16 bits to 8: decode the bytes."] if plan.deep else []
        last = max(planned.name for planned in plan.files if planned.split == split)
        first = f"{split}-{{000000..{last.removeprefix(f'{split}-').removesuffix('.tar')}}}.tar"
        return [
            "```python",
            f'webdataset.WebDataset("{first}", shardshuffle=False).decode("rgb8")  # or',
            'datasets.load_dataset("DIR")  # or',
            "```",
            "",
            "`lolblur-synth train-lednet --data DIR --out RUN` trains on it.",
            *cut,
        ]
    if kind == "parquet":
        cut = [", pictures as the bytes of their PNG files, which have 16 bits"] if plan.deep else []
        return ["".join(['`datasets.load_dataset("DIR")` gives it', *cut, "."])]
    crop = plan.options.crop
    cut = [f"Pictures are cut into sub-images of {crop} pixels, `KEY_s001` and so on."] if crop else []
    return [
        f"In BasicSR's options: `dataroot_lq: {split}/low_blur_noise.lmdb`, `dataroot_gt: "
        f"{split}/high_sharp_scaled.lmdb`, `io_backend: {{type: lmdb}}`.",
        *cut,
    ]
