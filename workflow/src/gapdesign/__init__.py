"""Choose the structures that a machine-learning interatomic potential should be trained on.

The stages, each a module or a family of modules of the same name::

    candidates -> descriptors -> design -> labels -> hyperparameters -> model -> crossval -> report

Functions take arrays or :class:`ase.Atoms` and return values; :mod:`gapdesign.cli` is the only
module that parses a command line, and :mod:`gapdesign.files` the only one that knows where files lie.
"""

__version__ = "0.1.0"
