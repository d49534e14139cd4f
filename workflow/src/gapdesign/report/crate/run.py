"""A study and its results, finished or not, as an archive takes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from gapdesign.errors import InputError
from gapdesign.files import read_json
from gapdesign.report.crate.stages import OF_KIND, SHARED, Step


@dataclass
class Action:
    """A stage of a study, with what is there of it.

    Attributes
    ----------
    step : Step
        The stage.
    reads : list of str
        Patterns of the files that it reads.
    found : dict
        Descriptions of its files by their places below the results.
    missing : list of str
        Places where a finished study has a file and this one has none.
    """

    step: Step
    reads: list[str]
    found: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)


class Run:
    """A study and its results, finished or not.

    Parameters
    ----------
    results : Path
        Results of the study.
    configuration : mapping, optional
        Configuration of a study that has no provenance.json yet.

    Raises
    ------
    InputError
        If there are no designs, or nothing says what the configuration is.
    """

    def __init__(self, results: Path, configuration: Mapping[str, Any] | None = None) -> None:
        if not results.is_dir():
            raise InputError(f"{results}: no such folder; name the results of a study, such as results/zr-demo.")
        self.results = results
        path = results / "provenance.json"
        self.provenance: dict[str, Any] | None = read_json(path) if path.exists() else None
        if self.provenance is None and configuration is None:
            raise InputError(
                f"{path}: no such file; run `snakemake report` for this study first, or, if it ends before, give its"
                " configuration with --config."
            )
        self.configuration = dict(self.provenance["configuration"] if self.provenance else configuration)
        self.study = self.configuration["study"]
        if self.provenance is None and self.study != results.resolve().name:
            raise InputError(f"--config: it is of the study {self.study}, and not of {results}; give the one of both.")
        self.kinds = list(self.configuration.get("models") or [self.configuration["model"]["kind"]])
        self.actions = self._actions()
        if not any(path.startswith("designs/") for path in self.actions["design"].found):
            raise InputError(f"{results}: it has no designs yet; run `snakemake design` for this study first.")

    @property
    def missing(self) -> list[str]:
        """Places where a finished study has a file and this one has none."""
        return [path for action in self.actions.values() for path in action.missing]

    @cached_property
    def checksums(self) -> dict[str, str]:
        """The recorded checksums of files by their places below the results.

        Raises
        ------
        InputError
            If a recorded file is not there.
        """
        recorded = {}
        for folder in _folders(self.kinds):
            path = self.results / folder / "provenance.json"
            files = read_json(path)["files"] if path.exists() else {}
            recorded |= {name.partition(f"results/{self.study}/")[2]: checksum for name, checksum in files.items()}
        for name in recorded:
            if not (self.results / name).is_file():
                raise InputError(
                    f"{self.results / name}: no such file, though the provenance records it; run"
                    " `snakemake report` for this study again."
                )
        return recorded

    def _actions(self) -> dict[str, Action]:
        actions = {name: Action(step, list(step.reads)) for name, step in SHARED.items()}
        for folder in _folders(self.kinds):
            for name, step in OF_KIND.items():
                actions[f"{folder}{name}"] = Action(step, [pattern.format(folder=folder) for pattern in step.reads])
        taken: set[str] = set()
        for name, action in actions.items():
            folder = name.rpartition("/")[0]
            below = self.results / folder
            for pattern, text in action.step.files.items():
                for place, description in self._each(pattern, text):
                    for path in sorted(below.glob(place)) if "*" in place else [below / place]:
                        inside = path.relative_to(self.results).as_posix()
                        if path.is_file() and inside not in taken:
                            taken.add(inside)
                            action.found[inside] = description
            for pattern in action.step.always:
                places = [f"{folder}/{place}".lstrip("/") for place, _ in self._each(pattern, "")]
                action.missing += [place for place in places if not (self.results / place).is_file()]
        rest = [path for path in self.checksums if path not in taken]
        actions["report"].found |= {path: "Table behind the report" for path in rest}
        return actions

    def _each(self, pattern: str, text: str) -> Iterator[tuple[str, str]]:
        if "{design}" not in pattern:
            return iter([(pattern, text)])
        of_models = "models/" in pattern
        designs = [
            name for name, design in self.configuration["designs"].items() if design.get("fit", True) or not of_models
        ]
        return ((pattern.format(design=design), text.format(design=design)) for design in designs)


def _folders(kinds: Sequence[str]) -> list[str]:
    """Return the folders of the kinds of models below the results."""
    return ["" if n == 0 else f"{kind}/" for n, kind in enumerate(kinds)]
