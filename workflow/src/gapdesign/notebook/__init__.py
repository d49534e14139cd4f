"""Features, distances, designs and their coverage for arrays and structures in memory, without files or a study.

``import gapdesign`` offers all of this. The verbs of the workflow call the same library below it.
"""

from gapdesign.notebook.description import Features, Pool, distances, features
from gapdesign.notebook.selection import Design, coverage, select

__all__ = ["Design", "Features", "Pool", "coverage", "distances", "features", "select"]
