"""Base class of every block of options in the configuration."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
"""Name that the user chooses and that becomes part of paths."""


class Options(BaseModel):
    """Described, immutable block of options that refuses unknown keys.

    Every field of a subclass carries ``Field(default, description=...)``; the JSON schema of the
    configuration and ``config/README.md`` are generated from these.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
