"""The JSON schema and the page of documentation that are made from the typed configuration."""

from __future__ import annotations

import json
from typing import Any

from gapdesign.config.study import Study

_INTRODUCTION = """# The configuration

One YAML file is one study. `config.yaml` is the default one; another is chosen with
`snakemake --configfile config/studies/<study>.yaml`, and single keys with `--config budget=50`.
Keys that are left out have the defaults below; keys that do not exist are refused.

This page is generated: `make format` writes it, and `workflow/schemas/config.schema.json`, from the
descriptions in the library.
"""


def schema() -> str:
    """JSON schema of the configuration: strict, described, defaulted."""
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Study.model_json_schema(),
        "title": "Configuration of a gapdesign study",
    }
    return json.dumps(document, indent=2) + "\n"


def page() -> str:
    """Every key of the configuration with its meaning, bounds and default, as Markdown."""
    document = Study.model_json_schema()
    lines = [_INTRODUCTION]
    _section(lines, document, document.get("$defs", {}), "", {})
    return "\n".join(lines).rstrip() + "\n"


def _section(
    lines: list[str], block: dict[str, Any], definitions: dict[str, Any], prefix: str, described: dict[str, str]
) -> None:
    """Describe a block and those inside it; optional ones that are described already are only referred to."""
    if prefix:
        lines += [f"## `{prefix}`", "", f"{block['description'].strip()}", ""]
    lines += ["| key | meaning | values | default |", "| --- | --- | --- | --- |"]
    inner = []
    for name, field in block["properties"].items():
        key = f"{prefix}.{name}" if prefix else name
        target, entry = _target(field, definitions)
        meaning = (field if "description" in field else target or {}).get("description", "").replace("|", "\\|")
        if target is not None and "anyOf" in field and target["title"] in described:
            lines.append(f"| `{key}` | {meaning} | see `{described[target['title']]}` above | none |")
        elif target is not None:
            inner.append((f"{key}.<name>" if entry else key, target))
            described.setdefault(target["title"], inner[-1][0])
            lines.append(f"| `{key}` | {meaning} | see `{inner[-1][0]}` below | |")
        else:
            lines.append(
                f"| `{key}` | {meaning} | {_values(field)} | {_default(field, name in block.get('required', ()))} |"
            )
    lines.append("")
    for key, target in inner:
        _section(lines, target, definitions, key, described)


def _target(field: dict[str, Any], definitions: dict[str, Any]) -> tuple[dict[str, Any] | None, bool]:
    """The block that a field refers to, and whether it is one of many under names of their own."""
    reference = field.get("$ref") or next((one["$ref"] for one in field.get("anyOf", ()) if "$ref" in one), None)
    entries = field.get("additionalProperties") or next(iter(field.get("patternProperties", {}).values()), None)
    if reference is None and isinstance(entries, dict):
        reference = entries.get("$ref")
    block = definitions[reference.rsplit("/", 1)[1]] if reference else None
    return block, "$ref" not in field and "anyOf" not in field


def _values(field: dict[str, Any]) -> str:
    options = [entry for entry in field.get("anyOf", [field]) if entry.get("type") != "null"]
    entry = options[0]
    if "enum" in entry or "const" in entry:
        return ", ".join(f"`{value}`" for value in entry.get("enum", [entry.get("const")]))
    words = {
        "number": "number",
        "integer": "whole number",
        "string": "text",
        "array": "list",
        "boolean": "true, false",
    }
    signs = (("exclusiveMinimum", ">"), ("minimum", ">="), ("exclusiveMaximum", "<"), ("maximum", "<="))
    bounds = " and ".join(f"{sign} {entry[key]:g}" for key, sign in signs if key in entry)
    return f"{words.get(entry.get('type', ''), '')} {bounds}".strip()


def _default(field: dict[str, Any], required: bool) -> str:
    if required:
        return "required"
    default = field.get("default")
    return "none" if default is None else f"`{json.dumps(default)}`"
