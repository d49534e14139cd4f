"""The verb that takes designs and labels out of a study: as input of calculations, or as files to train on."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from gapdesign.cli.arguments import add, add_config, answer, say
from gapdesign.cli.audit import add_keys, as_flags, keys_of
from gapdesign.errors import InputError
from gapdesign.formats import FORMATS
from gapdesign.labels.export import formats

if TYPE_CHECKING:
    from gapdesign.formats.base import Dataset, Format

_BESIDE = "isolated.extxyz"
"""Where a study keeps its isolated atoms, beside the labels of its designs."""

_OF_TRAINING = ("isolated", "valid", "valid_config_type", "together")


def register(verbs: argparse._SubParsersAction) -> None:
    """Add the verbs of this module."""
    trained = "".join(f"  {name:<12}{member.summary}\n" for name, member in FORMATS.items())
    verb = add(
        verbs,
        "export",
        _export,
        "write designs as input of calculations, or labels as files that other programs train on",
        f"Input of calculations ({', '.join(formats())}): a folder for each structure of a design. The engine `file`\n"
        "brings the results back; see docs/labels.md.\n"
        "\n"
        "Files to train on (docs/formats.md):\n"
        f"{trained}"
        "Any labelled frames will do, such as those of `gapdesign pick`. Prints the lines of the program's input that\n"
        "go with the files. Labels are read as by audit, and written with all digits.\n"
        "\n"
        "example: gapdesign export --format xyz results/zr-demo/designs/OPT1.extxyz --output OPT1\n"
        "example: gapdesign export --format mace --valid 0.1 results/zr-demo/labels/OPT1.extxyz --output mace",
    )
    add_config(verb)
    verb.add_argument("--format", required=True, choices=[*formats(), *FORMATS], help="format of the files")
    verb.add_argument("files", nargs="+", type=Path, metavar="FILE", help="design, its reserve, or labelled frames")
    verb.add_argument("--output", required=True, type=Path, metavar="FOLDER", help="folder to write to")
    training = verb.add_argument_group("files to train on")
    training.add_argument(
        "--isolated",
        type=Path,
        metavar="FILE",
        help=f"isolated atoms with their energies, if they are not among the frames ({_BESIDE} beside the first file,"
        " where there is one and you name no keys)",
    )
    training.add_argument("--valid", type=float, metavar="SHARE", help="share to keep back for validation, at random")
    training.add_argument(
        "--valid-config-type",
        action="append",
        metavar="NAME",
        help="keep back the frames of this config_type instead; may be given again",
    )
    training.add_argument("--seed", type=int, default=0, metavar="SEED", help="of the random choice (%(default)s)")
    training.add_argument(
        "--together",
        metavar="KEY",
        help="frames with the same value of this key stay in one part, as equal structures do (parent, trajectory)",
    )
    add_keys(training)


def _export(arguments: argparse.Namespace) -> None:
    if arguments.format in FORMATS:
        _to_train_on(arguments)
    else:
        _to_compute(arguments)


def _to_compute(arguments: argparse.Namespace) -> None:
    from gapdesign import engines
    from gapdesign.config import study as config
    from gapdesign.labels.export import Xyz, export
    from gapdesign.labels.members import read_members

    for name in _OF_TRAINING:
        if getattr(arguments, name) is not None:
            raise InputError(
                f"--{name.replace('_', '-')}: {arguments.format} is input of calculations, which have no labels; choose"
                f" a format to train on: {', '.join(FORMATS)}."
            )
    if len(arguments.files) > 1:
        raise InputError(f"{arguments.files[1]}: {arguments.format} takes one design at a time; export it by itself.")
    (design,) = arguments.files
    writer = Xyz()
    if arguments.format != "xyz":
        writer = engines.make(arguments.format, config.load(arguments.config).labels)
    frames = read_members(design, ranked=False)
    folders = export(frames, arguments.output, writer, design=design.stem)
    print(f"{arguments.output}: {len(folders)} folders, {len(folders) - len(frames)} of them for isolated atoms")


def _to_train_on(arguments: argparse.Namespace) -> None:
    from gapdesign.formats import export

    form = FORMATS[arguments.format]()
    with as_flags():
        dataset = _dataset(arguments, form)
    paths = export(dataset, form, arguments.output)
    for (part, data), path in zip(dataset.parts.items(), paths, strict=True):
        say(f"{path}: {len(data)} structures to {'train on' if part == 'train' else 'validate with'}")
    say(_about_atoms(dataset, form))
    for line in form.lines(dataset):
        answer(line)


def _dataset(arguments: argparse.Namespace, form: Format) -> Dataset:
    from gapdesign.formats.dataset import gather, parted, read
    from gapdesign.inputs.labels import Keys

    if arguments.valid is not None and not 0 < arguments.valid < 1:
        raise InputError(f"--valid {arguments.valid:g}: it must be a share between 0 and 1.")
    if arguments.valid is not None and arguments.valid_config_type:
        raise InputError("--valid-config-type: it comes instead of --valid; give one of them.")
    keys, isolated = keys_of(arguments), arguments.isolated
    beside = arguments.files[0].with_name(_BESIDE)
    if isolated is None and keys == Keys() and beside.exists():  # a study's own has the keys of studies
        isolated = beside
    references = [] if isolated in (None, *arguments.files) else read([isolated], keys)
    data, alone = gather(read(arguments.files, keys, labelled=bool(form.needs)), references)
    return parted(
        data,
        alone,
        share=arguments.valid or 0.0,
        groups=arguments.valid_config_type or (),
        seed=arguments.seed,
        together=arguments.together,
    )


def _about_atoms(dataset: Dataset, form: Format) -> str:
    """Return what became of isolated atoms, in a sentence."""
    if not dataset.energies:
        return "isolated atoms: none; energies are total ones, and the program has to find their zero itself"
    names = ", ".join(dataset.energies)
    return {
        "structures": f"isolated atoms ({names}): in {form.files(dataset)['train']}",
        "numbers": f"isolated atoms ({names}): their energies are in the lines below; energies are total ones",
        "subtracted": f"isolated atoms ({names}): energies are counted from them",
    }[form.isolated]
