# The library, and the texts of configurations, which it reads more strictly than Snakemake.
import os
import sys

# In a clone the library stands beside the rules; a wheel, and a workflow from a repository elsewhere, use the installed.
if (rules_folder().parent / "src").is_dir():
    sys.path.insert(0, str(rules_folder().parent / "src"))

from gapdesign import installation

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
