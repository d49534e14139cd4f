"""Files of a new study's folder: its configuration, the Snakefile that uses the installed workflow, a README."""

from __future__ import annotations

import re
from itertools import islice
from pathlib import Path

from gapdesign.config.options import NAME
from gapdesign.errors import InputError

SNAKEFILE = """\
from gapdesign.installation import WORKFLOW


configfile: "config.yaml"


module gapdesign:
    snakefile:
        WORKFLOW
    config:
        config


use rule * from gapdesign
"""

README = """\
# {study}

- `snakemake -n --cores all design` lists the jobs; without `-n` it chooses the structures: `results/{study}/designs/`.
- `results/{study}/design.html` says what the designs are worth; `snakemake --cores all plan` what the rest will cost.
- `snakemake --cores all labels`, `models` and `report` go on, with the engine that `labels:` in config.yaml names.
- `gapdesign check --config config.yaml` explains a mistake in config.yaml; gapdesign's config/README.md lists all keys.
"""

_SAMPLE = 50

_STRAINED = """\
prototypes: # the crystals of your material: an element on a lattice, or {{file: some.cif}}
{prototypes}

pools:
  names: [A, B] # two independent samplings, so that designs test each other
  size: 5000    # candidates in each
  sampler: strain
  strain: {{max: 0.15}} # bound of the principal stretches

descriptor:
  soap: {{r_cut: 6.0, n_max: 8, l_max: 6, sigma: 0.5{compression}}}
kernel:
  pair: {{r_cut: 6.0}}

budget: 100 # structures in each design: what you can afford to label
designs: # max-min beside random draws of the same size
  OPT1: {{pool: A, method: maxmin{existing}}}
  OPT2: {{pool: B, method: maxmin{existing}}}
  RND1: {{pool: A, method: random}}
  RND2: {{pool: B, method: random}}
"""

_FRAMES = """\
pools:
  names: [A]
  size: all # every frame but isolated atoms; elements come from the file, too
  sampler: file
  file:
    path: {path} # or a list of files and patterns, such as [a.xyz, "runs/*/out.extxyz"]
    # keep: {{config_type: [bulk, slab]}} # only frames that carry one of these
    # atoms: [2, 200]                   # only frames of so many atoms

descriptor:
  soap: {{r_cut: {r_cut}, n_max: 8, l_max: 6, sigma: 0.5{compression}}} # reaches twice the nearest distance
kernel:
  pair: {{scale: 0}}

budget: {budget} # structures in each design: what you can afford to label
designs: # {title} beside a random draw of the same size
  OPT: {{pool: A, method: {method}{existing}}}
  RND: {{pool: A, method: random}}
"""

_LABELS = """
labels:
  engine: {engine} # vasp, gpaw, espresso, ase or file; docs/engines.md has their keys
"""


def files(study: str, *, frames: Path | None = None, existing: Path | None = None) -> dict[str, str]:
    """Return the texts of all files by their names.

    Parameters
    ----------
    study : str
        Name of the study.
    frames : Path, optional
        File from whose frames to choose; without it candidates are strained crystals.
    existing : Path, optional
        Structures that designs continue.

    Raises
    ------
    InputError
        If the name is none, or a file cannot be read.
    """
    if not re.match(NAME, study):
        raise InputError(f"'{study}': no name of a study, which has letters, digits, '_', '.' and '-'; choose another.")
    text = _of_frames(frames, existing) if frames else _of_crystals(existing)
    engine = "vasp" if frames or existing else "eam"
    head = f"# Edit this file, then `gapdesign check --config config.yaml`.\nstudy: {study}\nseed: 2025\n\n"
    configuration = head + text + _LABELS.format(engine=engine)
    return {"config.yaml": configuration, "Snakefile": SNAKEFILE, "README.md": README.format(study=study)}


def _of_frames(path: Path, existing: Path | None) -> str:
    from gapdesign.inputs.filters import FilterOptions
    from gapdesign.inputs.frames import read
    from gapdesign.inputs.survey import refuse_nothing, survey
    from gapdesign.methods import METHODS, default_of_frames
    from gapdesign.sets.held import FrameSet

    found = survey((str(path),), FilterOptions(), "--frames")
    refuse_nothing(found, (str(path),), "--frames", FilterOptions())
    known, method = _elements(existing), default_of_frames()
    few = FrameSet.gathered(islice(read(path, "--frames"), _SAMPLE), str(path), "--frames")
    soap = few.description("dscribe", sorted({*found.elements, *known}))["descriptor"]["soap"]
    return _FRAMES.format(
        path=_quoted(path),
        r_cut=soap["r_cut"],
        compression=_compression(len({*found.elements, *known})),
        budget=min(100, max(1, found.count // 2)),
        method=method,
        title=METHODS[method].title,
        existing=_existing(existing),
    )


def _of_crystals(existing: Path | None) -> str:
    from ase.data import atomic_numbers, reference_states

    elements = _elements(existing) or ["Zr"]
    lines = []
    for element in elements:
        state = reference_states[atomic_numbers[element]] or {}
        lattice = state.get("symmetry")
        if lattice not in ("bcc", "fcc", "hcp", "diamond"):
            raise InputError(
                f"--extend {existing}: it holds {element}, of which no simple crystal is known; name new structures to"
                " choose from with --frames."
            )
        height = f", c: {state['a'] * state['c/a']:.4g}" if "c/a" in state else ""
        lines.append(f"  {element}: {{element: {element}, lattice: {lattice}, a: {state['a']}{height}}}")
    return _STRAINED.format(
        prototypes="\n".join(lines), existing=_existing(existing), compression=_compression(len(elements))
    )


def _elements(path: Path | None) -> list[str]:
    from gapdesign.inputs.filters import FilterOptions
    from gapdesign.inputs.survey import survey

    return sorted(survey((str(path),), FilterOptions(), "--extend").elements) if path else []


def _compression(elements: int) -> str:
    return ", compression: one_element" if elements > 2 else ""


def _existing(path: Path | None) -> str:
    return f", existing: {_quoted(path)}" if path else ""


def _quoted(path: Path) -> str:
    """Return the path as YAML, from the root, since the study is in another folder."""
    return "'" + str(path.resolve()).replace("'", "''") + "'"
