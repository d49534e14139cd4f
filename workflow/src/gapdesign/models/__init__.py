"""Kinds of models, a family: what is fitted to a labelled design, and tested on all others.

Each package or module here that defines a class derived from :class:`Potential` is one kind, and :mod:`.options` holds
their options.
"""

from gapdesign.families import Family
from gapdesign.models.base import Potential

__all__ = ["MODELS", "Potential"]

MODELS: Family[Potential] = Family("gapdesign.models", Potential)
"""Every kind of model by its name."""
