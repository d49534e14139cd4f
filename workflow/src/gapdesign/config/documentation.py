"""JSON schema and documentation page, generated from the typed configuration."""

from __future__ import annotations

import json
from typing import Any

from gapdesign.config.study import Study

_INTRODUCTION = """# The configuration

One YAML file describes one study. The default is `config.yaml`; choose another with
`snakemake --configfile config/studies/<study>.yaml`, and set single keys with `--config budget=50`.
Keys that you leave out have the defaults below; unknown keys are errors.

A configuration is run, not only read: it names commands of engines, classes of calculators and files, and Snakemake
evaluates expressions in a file that begins with `__use_yte__: true`. So read a configuration before you run it, as you
would a script, and run only those of people whose scripts you would run. `gapdesign check` runs nothing that stands in
it, and nothing but the file's text is trusted: other files in the folder of a study are not imported as Python modules.

In a folder that `snakedeploy` or `gapdesign new` wrote, Snakemake needs the package gapdesign beside it: install it by
`pip install .` in a clone of the repository. There `--configfile` adds to the configuration that the Snakefile names,
and does not replace it.

This page is generated: `make format` writes it, and `workflow/schemas/config.schema.json`, from the
descriptions in the library.
"""


def schema() -> str:
    """Return the JSON schema of the configuration, with descriptions and defaults, closed to unknown keys."""
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Study.model_json_schema(),
        "title": "Configuration of a gapdesign study",
    }
    return json.dumps(document, indent=2) + "\n"


def page() -> str:
    """Return a Markdown page of every key of the configuration, with its meaning, bounds and default."""
    document = Study.model_json_schema()
    lines = [_INTRODUCTION]
    _section(lines, document, document.get("$defs", {}), "", {})
    return "\n".join(lines).rstrip() + "\n"


def _section(
    lines: list[str], block: dict[str, Any], definitions: dict[str, Any], prefix: str, described: dict[str, str]
) -> None:
    """Describe a block and the blocks inside it; refer to optional blocks that are described already."""
    if prefix:
        lines += [f"## `{prefix}`", "", f"{block['description'].strip()}", ""]
    lines += ["| key | meaning | values | default |", "| --- | --- | --- | --- |"]
    inner = []
    for name, field in block["properties"].items():
        key = f"{prefix}.{name}" if prefix else name
        target, entry = _target(field, definitions)
        meaning = (field if "description" in field else target or {}).get("description", "").replace("|", "\\|")
        values, default = _values(field), _default(field, name in block.get("required", ()))
        if target is not None and "$ref" not in field and not entry and target["title"] in described:
            either = f"{values}, or " if values else ""
            lines.append(f"| `{key}` | {meaning} | {either}see `{described[target['title']]}` above | none |")
        elif target is not None:
            inner.append((f"{key}.<name>" if entry else key, target))
            described.setdefault(target["title"], inner[-1][0])
            either, default = (f"{values}, or ", f"{default} ") if values and not entry else ("", "")
            lines.append(f"| `{key}` | {meaning} | {either}see `{inner[-1][0]}` below | {default}|")
        else:
            lines.append(f"| `{key}` | {meaning} | {values} | {default} |")
    lines.append("")
    for key, target in inner:
        _section(lines, target, definitions, key, described)


def _target(field: dict[str, Any], definitions: dict[str, Any]) -> tuple[dict[str, Any] | None, bool]:
    """Return the block that a field refers to, and whether the field maps names to such blocks."""
    reference = next((one["$ref"] for one in _alternatives(field) if "$ref" in one), None)
    entries = field.get("additionalProperties") or next(iter(field.get("patternProperties", {}).values()), None)
    if reference is None and isinstance(entries, dict):
        reference = entries.get("$ref")
    block = definitions[reference.rsplit("/", 1)[1]] if reference else None
    return block, _alternatives(field) == [field] and "$ref" not in field


def _alternatives(field: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what a field may be, one by one; itself, if there is no choice."""
    among = field.get("anyOf") or field.get("oneOf")
    return [field] if among is None else [each for entry in among for each in _alternatives(entry)]


def _values(field: dict[str, Any]) -> str:
    known = [entry for entry in _alternatives(field) if entry.get("type") != "null" and "$ref" not in entry]
    return " or ".join(dict.fromkeys(map(_value, known)))


def _value(entry: dict[str, Any]) -> str:
    if "enum" in entry or "const" in entry:
        return ", ".join(f"`{value}`" for value in entry.get("enum", [entry.get("const")]))
    words = {
        "number": "number",
        "integer": "whole number",
        "string": "text",
        "array": "list",
        "boolean": "true, false",
        "object": "mapping",
    }
    signs = (("exclusiveMinimum", ">"), ("minimum", ">="), ("exclusiveMaximum", "<"), ("maximum", "<="))
    bounds = " and ".join(f"{sign} {entry[key]:g}" for key, sign in signs if key in entry)
    return f"{words.get(entry.get('type', ''), '')} {bounds}".strip()


def _default(field: dict[str, Any], required: bool) -> str:
    if required:
        return "required"
    default = field.get("default")
    return "none" if default is None else f"`{json.dumps(default)}`"
