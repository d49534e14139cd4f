"""The whole configuration."""

from __future__ import annotations

from typing import Annotated

from gapdesign.config.part import From, Part
from gapdesign.config.study import Study


class StudyPart(Part):
    """All of the configuration."""

    study: Annotated[Study, From(lambda at: at.study)]
