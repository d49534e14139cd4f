"""Verbs about the configuration itself."""

from __future__ import annotations

import argparse
from pathlib import Path

from gapdesign import config
from gapdesign.cli.arguments import add, add_config


def register(verbs: argparse._SubParsersAction) -> None:
    """Add the verbs of this module."""
    verb = add(
        verbs,
        "check",
        _check,
        "check a configuration and say what it asks for",
        "Prints the designs and sizes of the study, or one sentence on the first mistake.\n\n"
        "example: gapdesign check --config config/studies/zr-elastic.yaml",
    )
    add_config(verb)
    verb = add(
        verbs,
        "document",
        _document,
        "write the schema and the documentation of the configuration",
        "For developers: both files are generated from the descriptions in the library.",
    )
    schema, page = Path("workflow/schemas/config.schema.json"), Path("config/README.md")
    verb.add_argument("--schema", type=Path, default=schema, metavar="FILE", help="schema to write (%(default)s)")
    verb.add_argument("--page", type=Path, default=page, metavar="FILE", help="page to write (%(default)s)")


def _check(arguments: argparse.Namespace) -> None:
    study = config.load(arguments.config)
    pools = study.pools
    shards = -(-pools.size // pools.shard_size)
    print(f"{study.study}: {len(pools.names)} pools of {pools.size} candidates, {shards} shards each ({pools.sampler})")
    for name, design in study.designs.items():
        print(f"  {name}: {study.budget} structures of pool {design.pool} by {design.method}")
    print(
        f"labels from {study.labels.engine}; {len(study.designs)} models, {len(study.designs) ** 2} cross-validations"
    )


def _document(arguments: argparse.Namespace) -> None:
    from gapdesign import configdoc
    from gapdesign.files import write_text

    write_text(arguments.schema, configdoc.schema())
    write_text(arguments.page, configdoc.page())
