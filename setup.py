"""Lets wheels carry the workflow beside the library; all else about the package is in pyproject.toml."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

CARRIED = ("workflow/Snakefile", "workflow/rules", "workflow/report", "workflow/schemas", "envs/*.yaml", "profiles/*")


class BuildWithWorkflow(build_py):
    """Copies the files to where `gapdesign.installation` looks for them; an editable installation has them already."""

    def run(self):
        """Build the package, then add the workflow."""
        super().run()
        if self.editable_mode:
            return
        root = Path(__file__).resolve().parent
        shipped = Path(self.build_lib, "gapdesign", "shipped")
        shutil.rmtree(shipped, ignore_errors=True)
        for path in (path for pattern in CARRIED for path in root.glob(pattern)):
            target = shipped / path.relative_to(root)
            target.parent.mkdir(parents=True, exist_ok=True)
            (shutil.copytree if path.is_dir() else shutil.copyfile)(path, target)


setup(cmdclass={"build_py": BuildWithWorkflow})
