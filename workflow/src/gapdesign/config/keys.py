"""Fields of parts that jobs of several stages, and members of families, read."""

from __future__ import annotations

from typing import Annotated

from gapdesign.config.part import From
from gapdesign.descriptors.kernel import CovarianceOptions
from gapdesign.descriptors.soap import SoapOptions

Species = Annotated[tuple[int, ...], From(lambda at: tuple(at.study.species()))]
"""Atomic numbers in the study, increasing."""

Symbols = Annotated[tuple[str, ...], From(lambda at: tuple(at.study.symbols()))]
"""Chemical symbols in the study, by increasing atomic number."""

Soap = Annotated[SoapOptions, From(lambda at: at.study.descriptor.soap)]

AverageKernel = Annotated[CovarianceOptions, From(lambda at: at.study.kernel.covariance)]
"""The kernels and their scales, without `kernel.structure` and its options."""

Budget = Annotated[int, From(lambda at: at.budget)]
"""Structures in the design that a job is about, or in the largest one of its pool."""

Methods = Annotated[dict[str, str], From(lambda at: at.study.methods())]
"""Designs and the methods that choose them, in order."""
