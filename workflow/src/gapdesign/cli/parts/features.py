"""What features of structures, and distances between them, depend on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from gapdesign.config.keys import AverageKernel, Species
from gapdesign.config.part import From, Part
from gapdesign.descriptors.kernel import PairShapeOptions
from gapdesign.descriptors.options import ChosenDescriptor

if TYPE_CHECKING:
    from gapdesign.descriptors import Descriptor
    from gapdesign.descriptors.covariance import Covariance, Layout

Chosen = Annotated[ChosenDescriptor, From(lambda at: at.study.descriptor.chosen)]
"""The descriptor and its options, without those of others."""


class FeaturePart(Part):
    """Keys that the features of structures depend on."""

    descriptor: Chosen
    pair: Annotated[PairShapeOptions | None, From(lambda at: at.study.kernel.pair.shape)]
    species: Species

    @property
    def layout(self) -> Layout:
        """Positions of the parts in a feature vector."""
        from gapdesign.descriptors import layout

        return layout(self.descriptor, self.pair, self.species)

    def make(self, scaling: Path | None = None) -> Descriptor:
        """Return the descriptor that computes the features, with the scale of its components in a file."""
        from gapdesign.descriptors import Descriptor
        from gapdesign.descriptors.scaling import Scaling

        return Descriptor(self.descriptor, self.pair, self.species, Scaling.read(scaling) if scaling else None)


class DistancePart(Part):
    """Keys that kernel distances between structures depend on."""

    descriptor: Chosen
    kernel: AverageKernel
    species: Species

    @property
    def covariance(self) -> Covariance:
        """The covariance of structures."""
        from gapdesign.descriptors import layout
        from gapdesign.descriptors.covariance import Covariance

        return Covariance(layout(self.descriptor, self.kernel.pair.shape, self.species), self.kernel)
