"""Makes a verb wait while a file says so, so that a test can strike in the middle of it.

The interpreter imports this where this folder is on the path. A file ``hold-VERB`` in the working folder holds
every job of that verb whose command has the file's text in it; the job says that it waits by a file of its own.
"""

import os
import sys
import time
from pathlib import Path

_, *_options = sys.orig_argv
command = _options[_options.index("-m") + 1 :] if "-m" in _options else []
if command[:1] == ["gapdesign"]:
    _hold = Path(f"hold-{command[1]}")
    if _hold.exists() and _hold.read_text() in " ".join(command):
        Path(f"held-{command[1]}-{os.environ.get('SLURM_JOB_ID', os.getpid())}").touch()
        while _hold.exists():
            time.sleep(0.05)
