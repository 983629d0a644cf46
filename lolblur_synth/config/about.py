"""Section of what only the maker of a dataset knows, for its card and for croissant.json; no pixel depends on it."""

from typing import Annotated, Self

from pydantic import BeforeValidator, Field, model_validator

from lolblur_synth.config.section import Section, as_tuple

_CREATIVE_COMMONS = "https://creativecommons.org/licenses"
LICENSES = {  # by the names that the Hugging Face Hub has for them
    "apache-2.0": "https://www.apache.org/licenses/LICENSE-2.0",
    "cc0-1.0": "https://creativecommons.org/publicdomain/zero/1.0/",
    **{f"cc-{kind}-4.0": f"{_CREATIVE_COMMONS}/{kind}/4.0/" for kind in ("by", "by-sa", "by-nc", "by-nd")},
    **{f"cc-{kind}-4.0": f"{_CREATIVE_COMMONS}/{kind}/4.0/" for kind in ("by-nc-sa", "by-nc-nd")},
    "cdla-permissive-2.0": "https://cdla.dev/permissive-2-0/",
    "mit": "https://opensource.org/license/mit",
    "odbl": "https://opendatacommons.org/licenses/odbl/1-0/",
    "pddl": "https://opendatacommons.org/licenses/pddl/1-0/",
}
_Line = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
_Words = Annotated[str, Field(min_length=1, max_length=10_000)]
_Url = Annotated[str, Field(max_length=1000, pattern=r"^https?://[^\s<>\"]+$")]


class About(Section):
    """What only the maker of a dataset knows, for its card and croissant.json; changes no pixel."""

    name: _Line | None = Field(None, description="title of the dataset")
    description: _Words | None = Field(None, description="what it is, in a sentence or more")
    license: _Line | None = Field(
        None, description=f"of the pictures: {', '.join(LICENSES)}, or a name, with about.license_url"
    )
    license_url: _Url | None = Field(None, description="where the licence can be read; null: as its name tells")
    creators: Annotated[tuple[_Line, ...], BeforeValidator(as_tuple), Field(max_length=1000)] = Field(
        (), description="who made it: names in a list"
    )
    url: _Url | None = Field(None, description="page of the dataset")
    published: Annotated[str, Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$")] | None = Field(
        None, description="date of publication, YYYY-MM-DD"
    )
    version: Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+$")] = Field(
        "1.0.0", description="of what is published, MAJOR.MINOR.PATCH"
    )
    cite_as: _Words | None = Field(None, description="how to cite it, such as BibTeX")
    data_limitations: _Words | None = Field(None, description="what it should not be used for, and why")
    data_biases: _Words | None = Field(None, description="what is over- and under-represented")
    personal_sensitive_information: _Words | None = Field(
        None, description="persons, number plates and the like in the footage, and consent; or that there are none"
    )
    data_use_cases: _Words | None = Field(None, description="what it is meant for")
    data_social_impact: _Words | None = Field(None, description="what good and what harm may come of it")

    @model_validator(mode="after")
    def _license_can_be_read(self) -> Self:
        if self.license and not self.license_link:
            raise ValueError(
                f"license: {self.license!r} is none of {', '.join(LICENSES)}: give license_url with it, too"
            )
        return self

    @property
    def license_link(self) -> str | None:
        """Where the licence can be read."""
        return self.license_url or LICENSES.get(self.license or "")


UNTOLD = About()
