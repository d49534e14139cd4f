"""Features of the frames of a set, of some of them, and of what a choice from them continues."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from gapdesign.errors import InputError
from gapdesign.notebook.description import Features, options_of
from gapdesign.progress import Pace

if TYPE_CHECKING:
    from gapdesign.sets.held import FrameSet

MOST_NUMBERS = 2**29
"""Numbers of all features that are held in memory: 2 GiB in single precision."""

_BATCH = 50


def described(
    given: FrameSet,
    elements: list[str],
    description: Mapping[str, Mapping[str, Any]],
    progress: Callable[[str], None] = lambda line: None,
) -> Features:
    """Return the features of a set, without environments.

    Raises
    ------
    InputError
        If an option is not valid, a frame cannot be described, or all features do not fit into memory.
    """
    from ase.data import atomic_numbers

    from gapdesign.descriptors import Descriptor
    from gapdesign.descriptors.covariance import Covariance
    from gapdesign.descriptors.kernel import KernelOptions
    from gapdesign.descriptors.options import DescriptorOptions
    from gapdesign.structures import pack

    options = options_of(DescriptorOptions, description["descriptor"], "descriptor")
    kernel = options_of(KernelOptions, description["kernel"], "kernel")
    species = sorted(atomic_numbers[symbol] for symbol in elements)
    options.member.check(options.options, species)
    describe = Descriptor(options, kernel.pair.shape, species)
    numbers = describe.layout.dimension * len(given)
    if numbers > MOST_NUMBERS:
        raise InputError(
            f"'{given.name}': features of {len(given)} frames take {numbers / 2**28:.1f} GiB, too many for one line;"
            " choose a shorter descriptor, or make the file the pool of a study, which reads it in shards"
            " (docs/candidates.md)."
        )
    values, pace = np.empty((len(given), describe.layout.dimension), np.float32), Pace()
    for start in range(0, len(given), _BATCH):
        part = given.frames[start : start + _BATCH]
        values[start : start + len(part)] = describe.features(pack([frame.bare() for frame in part]))
        if pace.is_due():
            progress(f"{start + len(part)} of {len(given)} frames described")
    return Features(values=values, covariance=Covariance(describe.layout, kernel), kernel=kernel)


def rows_of(features: Features, places: np.ndarray) -> Features:
    """Return the features of some frames."""
    return replace(features, values=features.values[places])


def beside(features: Features, known: Features | None, places: Sequence[int] | np.ndarray) -> Features | None:
    """Return the features of what is known and of some frames of a set, to continue both; None of nothing."""
    parts = [] if known is None else [known.values]
    parts += [features.values[places]] if len(places) else []
    return replace(features, values=np.concatenate(parts)) if parts else None
