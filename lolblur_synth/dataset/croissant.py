"""Metadata of a dataset by Croissant 1.1 of MLCommons with its vocabulary for responsible AI: `croissant.json`.

It follows from the records, the files and what the maker tells; its check is that it still does. (`mlcroissant` passes
wrong hashes, absent fields and unknown keys.)
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lolblur_synth.config.about import About
from lolblur_synth.core.errors import shown
from lolblur_synth.core.files import file_hash, read_bounded, write_text
from lolblur_synth.dataset.hugging_face import METADATA, MetadataColumns, columns_of
from lolblur_synth.dataset.layout import FOLDERS, SETTINGS, SPLITS, Split
from lolblur_synth.dataset.manifest import MANIFEST
from lolblur_synth.dataset.records import SequenceRecord
from lolblur_synth.dataset.rows import COLUMNS
from lolblur_synth.dataset.summary import summarize
from lolblur_synth.dataset.summary_types import Summary

CROISSANT = "croissant.json"
REQUIRED = (
    "name", "description", "license", "creators", "url", "published",
    "data_limitations", "data_biases", "personal_sensitive_information", "data_use_cases", "data_social_impact",
)  # fmt: skip
_LARGEST = 64 << 20
_KINDS = {str: "sc:Text", int: "sc:Integer", float: "sc:Float"}
_CR = (
    "arrayShape", "citeAs", "column", "containedIn", "equivalentProperty", "extract", "field", "fileObject",
    "fileProperty", "fileSet", "format", "includes", "isArray", "isLiveDataset", "jsonPath", "key", "md5",
    "parentField", "path", "recordSet", "references", "regex", "repeated", "replace", "samplingRate", "separator",
    "source", "subField", "transform",
)  # fmt: skip
_CONTEXT = {  # of the specification, whole, as readers ask for it, and PROV
    "@language": "en",
    "@vocab": "https://schema.org/",
    **{name: f"cr:{name}" for name in _CR},
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "name": {"@container": "@language"},
    "prov": "http://www.w3.org/ns/prov#",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
}
Json = dict[str, Any]


def untold(about: About) -> list[str]:
    """Names of what Croissant requires and only the maker knows, as far as it is not told."""
    return [f"about.{name}" for name in REQUIRED if not getattr(about, name)]


def write_croissant(root: Path, summary: Summary | None, columns: MetadataColumns, about: About) -> None:
    """Write croissant.json, where all is told that it requires; else there is none."""
    if summary and not untold(about):
        content = describe(root, summary, columns, about)
        write_text(root / CROISSANT, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    else:
        (root / CROISSANT).unlink(missing_ok=True)


def check_croissant(root: Path, records: Mapping[str, SequenceRecord], about: About) -> list[str]:
    """What in croissant.json does not follow from the dataset, a line each: keys, values, hashes, what is absent."""
    if not (root / CROISSANT).exists():
        return []
    if untold(about) or not records:
        return [f"{CROISSANT}: what it requires is not told: {', '.join(untold(about))}"]
    try:
        found = json.loads(read_bounded(root / CROISSANT, _LARGEST))
        wanted = describe(root, summarize(records.values()), columns_of(records.values()), about)
    except OSError as error:
        return [f"{CROISSANT}: cannot be checked: {error}"]
    except (ValueError, RecursionError) as error:
        return [f"{CROISSANT}: is no JSON: {shown(error)}"]
    return [f"{CROISSANT}: {shown(fault)}" for fault in _differences(found, wanted, "")]


def _differences(found: object, wanted: object, at: str) -> Iterator[str]:
    if isinstance(found, dict) and isinstance(wanted, dict):
        yield from (f"{at}{key[:80]}: no known key" for key in found.keys() - wanted.keys())
        yield from (f"{at}{key}: is absent" for key in wanted.keys() - found.keys())
        for key in sorted(found.keys() & wanted.keys()):
            yield from _differences(found[key], wanted[key], f"{at}{key}.")
    elif isinstance(found, list) and isinstance(wanted, list) and len(found) == len(wanted):
        for number, (one, other) in enumerate(zip(found, wanted, strict=True)):
            yield from _differences(one, other, f"{at}{number}.")
    elif found != wanted or type(found) is not type(wanted):
        yield f"{at.removesuffix('.')}: is {found!s:.80}, and should be {wanted!s:.80}"


def describe(root: Path, summary: Summary, columns: MetadataColumns, about: About) -> Json:
    """The metadata as JSON-LD; files are hashed. Raises `OSError` for a file that is gone."""
    splits = [split for split in SPLITS if summary.splits[split].sequences]
    cited = {"citeAs": about.cite_as} if about.cite_as else {}
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"],
        "name": about.name,
        "description": about.description,
        "license": about.license_link,
        "url": about.url,
        "creator": [{"@type": "Person", "name": name} for name in about.creators],
        "datePublished": about.published,
        "version": about.version,
        **cited,
        "rai:dataLimitations": about.data_limitations,
        "rai:dataBiases": about.data_biases,
        "rai:personalSensitiveInformation": about.personal_sensitive_information,
        "rai:dataUseCases": about.data_use_cases,
        "rai:dataSocialImpact": about.data_social_impact,
        "rai:hasSyntheticData": True,
        **_provenance(root, summary),
        "distribution": _distribution(root, splits),
        "recordSet": [*(_pairs(split, columns) for split in splits), _pictures()],
    }


def _provenance(root: Path, summary: Summary) -> Json:
    """Which videos it is from, by hash, and which program made it, with which settings."""
    sources = {video.source.content: video.source.name for video in summary.videos}
    return {
        "prov:wasDerivedFrom": [
            {"@type": "prov:Entity", "@id": f"urn:sha256:{content}", "name": name, "description": "decoded frames"}
            for content, name in sources.items()
        ],
        "prov:wasGeneratedBy": {
            "@type": "prov:Activity",
            "name": "synthesis of low-light blur from slow-motion video",
            "description": f"seed {summary.config.seed}; settings: {SETTINGS}, sha256 {file_hash(root / SETTINGS)}",
            "prov:wasAssociatedWith": {
                "@type": "prov:SoftwareAgent",
                "name": "lolblur-synth",
                "softwareVersion": summary.made_by,
                "description": ", ".join(f"{name} {' and '.join(values)}" for name, values in summary.versions.items()),
            },
        },
    }


def _distribution(root: Path, splits: Sequence[Split]) -> list[Json]:
    files = [(SETTINGS, SETTINGS, "application/yaml"), (MANIFEST, MANIFEST, "application/jsonlines")]
    files += [(f"{split}-metadata", f"{split}/{METADATA}", "application/jsonlines") for split in splits]
    objects: list[Json] = [
        {
            "@type": "cr:FileObject",
            "@id": name,
            "name": name,
            "contentUrl": path,
            "contentSize": f"{(root / path).stat().st_size} B",
            "encodingFormat": kind,
            "sha256": file_hash(root / path),
        }
        for name, path, kind in files
    ]
    pictures = {
        "@type": "cr:FileSet",
        "@id": "pictures",
        "name": "pictures",
        "encodingFormat": "image/png",
        "includes": [f"{split}/{folder}/*/*.png" for split in splits for folder in FOLDERS],
    }
    return [*objects, pictures]


def _pairs(split: Split, columns: MetadataColumns) -> Json:
    """A record per pair, with the paths of its pictures and what was drawn and measured."""
    texts = {name: f"path of the picture of {folder}" for folder, name in columns.pictures.items()}
    texts |= {column.name: column.what for column in COLUMNS if column.name in columns.values}
    kinds = {column.name: _KINDS[column.kind] for column in COLUMNS}
    source = f"{split}-metadata"
    return {
        "@type": "cr:RecordSet",
        "@id": split,
        "name": split,
        "description": f"A record per pair of the split {split}",
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"{split}/{name}",
                "name": name,
                "description": text,
                "dataType": kinds.get(name, "sc:Text"),
                "source": {"fileObject": {"@id": source}, "extract": {"column": name}},
            }
            for name, text in texts.items()
        ],
    }


def _pictures() -> Json:
    fields = (("path", "sc:Text", "fullpath"), ("picture", "sc:ImageObject", "content"))
    return {
        "@type": "cr:RecordSet",
        "@id": "pictures-by-path",
        "name": "pictures-by-path",
        "description": "A record per picture",
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"pictures-by-path/{name}",
                "name": name,
                "description": f"{name} of a file",
                "dataType": kind,
                "source": {"fileSet": {"@id": "pictures"}, "extract": {"fileProperty": extracted}},
            }
            for name, kind, extracted in fields
        ],
    }
