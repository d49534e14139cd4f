# The library, and the texts of configurations, which it reads more strictly than Snakemake.
import os
import sys

# In a clone the library stands beside the rules; a wheel, and a workflow from a repository elsewhere, use the installed.
if (rules_folder().parent / "src").is_dir():
    sys.path.insert(0, str(rules_folder().parent / "src"))

try:
    from gapdesign import installation
except ModuleNotFoundError as error:
    if error.name != "gapdesign":
        raise
    sys.exit(
        "gapdesign: the package gapdesign is not installed beside snakemake, which a workflow that is not in a clone needs;"
        " run `pip install .` in a clone of its repository."
    )

LIBRARY = installation.library_alone(Path(".snakemake"))

from gapdesign.config import reading
from gapdesign.errors import InputError


def refuse_lies(files):
    """Stop if a file means something other than it seems to: of equal keys Snakemake takes the last without a word."""
    try:
        for file in files:
            reading.read(os.path.relpath(file))
    except InputError as error:
        sys.exit(f"gapdesign: {error}")
