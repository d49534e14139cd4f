"""Verbs about the site: Snakemake's profiles, and jobs that a killed run left behind."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from gapdesign.cli.arguments import add
from gapdesign.errors import InputError
from gapdesign.installation import FILES

PROFILES = FILES / "profiles"
"""The project's profiles, beside the workflow."""


def register(verbs: argparse._SubParsersAction) -> None:
    """Add the verbs of this module."""
    verb = add(
        verbs,
        "profiles",
        _profiles,
        "link the project's profiles into your Snakemake folder, so that `snakemake --profile slurm` finds them",
        "You need to do this once; links and folders of other projects stay as they are.\n\n"
        "example: gapdesign profiles install",
    )
    verb.add_argument("action", choices=["install"], help="what to do")
    verb = add(
        verbs,
        "cancel",
        _cancel,
        "cancel the Slurm jobs that a killed `snakemake` left running in this folder",
        "Waits until they have ended; then you can start `snakemake` again. A run that is alive keeps its jobs; to stop"
        " it, press Ctrl-C where it runs.",
    )
    verb.add_argument("--folder", type=Path, default=Path(), help="where snakemake was started (the current folder)")
    verb.add_argument("--all", action="store_true", help="jobs of runs that are alive and of runs not known here, too")


def _profiles(arguments: argparse.Namespace) -> None:
    from platformdirs import PlatformDirs

    if not PROFILES.is_dir():
        raise InputError(f"{PROFILES}: no such folder; `profiles install` works in a copy of the whole project.")
    # Where `snakemake --profile NAME` looks for NAME.
    target = Path(PlatformDirs("snakemake", "snakemake").user_config_dir)
    target.mkdir(parents=True, exist_ok=True)
    for profile in sorted(path.parent for path in PROFILES.glob("*/config.yaml")):
        if profile.name != "default":  # that one Snakemake finds by itself
            print(_link(target / profile.name, profile))


def _link(link: Path, profile: Path) -> str:
    """Link a profile, and return a line that reports the outcome."""
    if link.is_symlink() and link.readlink() == profile:
        return f"{link}: was there already"
    if os.path.lexists(link) and not _is_dead(link):
        return f"{link}: left alone, it is not this project's; use `--profile {profile}`"
    link.unlink(missing_ok=True)
    link.symlink_to(profile, target_is_directory=True)
    return f"{link}: linked to {profile}"


def _is_dead(link: Path) -> bool:
    """Return whether a link points to a profile of a copy of the project that no longer exists."""
    return link.is_symlink() and not link.exists() and link.readlink().parts[-2:] == ("profiles", link.name)


def _cancel(arguments: argparse.Namespace) -> None:
    from gapdesign.cluster import heads

    if not arguments.folder.is_dir():
        raise InputError(f"--folder {arguments.folder}: no such folder; name the one where snakemake was started.")
    print(*heads.cancel(arguments.folder, everything=arguments.all), sep="\n")
