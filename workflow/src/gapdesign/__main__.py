"""Lets `python -m gapdesign` stand for the command `gapdesign`."""

import sys

from gapdesign.cli import main

sys.exit(main())
