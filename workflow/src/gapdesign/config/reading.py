"""Texts of configurations: read strictly, so that they mean what they say.

YAML 1.1 takes the last of two equal keys, 010 for 8 and 1:30 for 90 without a word, and a file of some kilobytes may
stand for a structure larger than any memory. Such files are refused by a sentence that names the line.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from gapdesign.errors import InputError

DEFAULT = "config/config.yaml"
"""File of the configuration, unless another is named."""

MOST_BYTES = 8 * 2**20
"""Size of the largest file that is read."""

MOST_VALUES = 200_000
"""Keys and values in the largest configuration; those that an alias repeats count each time."""

DEEPEST = 50
"""Levels of blocks and lists within one another."""

MOST_DIGITS = 300
"""Digits of the longest whole number."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_OCTAL = re.compile(r"[-+]?0[0-9_]+")
_SEXAGESIMAL = re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?")


def read(path: str | Path) -> Any:
    """Read a file in YAML or JSON.

    Raises
    ------
    InputError
        If it is missing, no UTF-8, no YAML, too large, or means something other than it seems to.
    """
    text = _text(path)
    if text.lstrip().startswith("{"):
        try:
            return from_json(text, source=str(path))
        except _NotJsonError:  # a block of YAML in braces
            pass
    try:
        _bound_depth(text, path)
        loader = _LOADER(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            _refuse_lies(node, path)
            value = loader.construct_document(node)
        finally:
            loader.dispose()
    except InputError:
        raise
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise InputError(f"{path}: not valid YAML ({' '.join(str(error).split())}).") from error
    bound(value, source=str(path))
    return value


def from_json(text: str, *, source: str) -> Any:
    """Read JSON.

    Parameters
    ----------
    text : str
    source : str
        Where it is from, for messages.

    Raises
    ------
    InputError
        If it is not JSON, has a key twice, or is too large.
    """

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(pairs)
        if len(value) < len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise InputError(f"{source}: the key '{twice}' is given twice in one block; keep one of them.")
        return value

    try:
        value = json.loads(text, object_pairs_hook=once)
    except InputError:
        raise
    except json.JSONDecodeError as error:
        raise _NotJsonError(f"{source}: a text that begins with '{{' must be JSON ({error}).") from None
    except ValueError:
        raise InputError(f"{source}: it has a number of more than {MOST_DIGITS} digits; shorten it.") from None
    except RecursionError:
        raise InputError(_too_deep(source)) from None
    bound(value, source=source)
    return value


class _NotJsonError(InputError):
    """A text that is not JSON."""


def bound(value: Any, *, source: str = "") -> None:
    """Check that a configuration is not too large or too deep to be worked on.

    Raises
    ------
    InputError
    """
    before = f"{source}: " if source else ""
    count, level = 0, [value]
    for _ in range(DEEPEST):
        within: list[Any] = []
        for one in level:
            if isinstance(one, int) and one.bit_length() > 3.4 * MOST_DIGITS:
                raise InputError(f"{before}it has a number of more than {MOST_DIGITS} digits; shorten it.")
            if isinstance(one, Mapping):
                within += [*one, *one.values()]
            elif isinstance(one, (list, tuple, set, frozenset)):
                within += one
            if count + len(within) > MOST_VALUES:
                raise InputError(
                    f"{before}it stands for more than {MOST_VALUES} keys and values; leave out what is not needed"
                    " (aliases repeat what they name)."
                )
        if not within:
            return
        count, level = count + len(within), within
    raise InputError(_too_deep(source))


def _too_deep(source: str) -> str:
    return (
        f"{source + ': ' if source else ''}blocks stand in one another more than {DEEPEST} levels deep; flatten them."
    )


def _text(path: str | Path) -> str:
    """Return the text of a file in UTF-8 of moderate size."""
    try:
        if (size := Path(path).stat().st_size) > MOST_BYTES:
            raise InputError(
                f"{path}: {size / 2**20:.0f} MiB are no configuration of a study, which has at most"
                f" {MOST_BYTES // 2**20}; name another file."
            )
        content = Path(path).read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; name a configuration with --config.") from None
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in content[:4]:
        raise InputError(f"{path}: not valid YAML, since it is not in UTF-8 but in UTF-16 or UTF-32; save it as UTF-8.")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise InputError(f"{path}: not valid YAML, since line {line} is not in UTF-8; save it as UTF-8.") from None


def _bound_depth(text: str, path: str | Path) -> None:
    """Refuse deep nesting before anything is built by recursion."""
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > DEEPEST:
                raise InputError(_too_deep(f"{path}, line {event.start_mark.line + 1}"))
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _refuse_lies(root: yaml.Node, path: str | Path) -> None:
    """Refuse keys that are given twice, and numbers that are read as others."""
    for key, node in _nodes(root):
        if isinstance(node, yaml.MappingNode):
            _refuse_twins(node, key, path)
        elif isinstance(node, yaml.ScalarNode) and not node.style:
            where = f"{path}, line {node.start_mark.line + 1}"
            _refuse_number(node, f"{where}: {key}" if key else where)


def _refuse_twins(node: yaml.MappingNode, key: str, path: str | Path) -> None:
    first: dict[tuple[str, str], int] = {}
    for name, _ in node.value:
        if not isinstance(name, yaml.ScalarNode):
            continue
        line, identity = name.start_mark.line + 1, (name.tag, name.value)
        if identity in first:
            raise InputError(
                f"{path}, line {line}: {_joined(key, name.value)}: this key is given twice, first in line"
                f" {first[identity]}; keep one of them."
            )
        first[identity] = line


def _refuse_number(node: yaml.ScalarNode, where: str) -> None:
    kind, text = node.tag.rpartition(":")[2], node.value
    if kind in ("int", "float") and _SEXAGESIMAL.fullmatch(text):
        raise InputError(f"{where}: YAML reads {text} as a number to the base 60; write it as a decimal or in quotes.")
    if kind == "int" and len(text) > MOST_DIGITS:
        raise InputError(f"{where}: a number of {len(text)} digits; shorten it.")
    if kind == "int" and _OCTAL.fullmatch(text):
        decimal = text.lstrip("+").replace("_", "").lstrip("-0") or "0"
        raise InputError(f"{where}: YAML reads {text} as an octal number, {int(text, 8)}; write {decimal} or that.")


def _nodes(root: yaml.Node) -> Iterator[tuple[str, yaml.Node]]:
    """Yield each node of a document once, with its key."""
    todo, seen = [("", root)], set()
    while todo:
        key, node = todo.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        yield key, node
        if isinstance(node, yaml.MappingNode):
            named = [(name.value if isinstance(name, yaml.ScalarNode) else "?", value) for name, value in node.value]
            todo += [(_joined(key, name), value) for name, value in reversed(named)]
        elif isinstance(node, yaml.SequenceNode):
            todo += [(f"{key}.{number}", value) for number, value in reversed(list(enumerate(node.value)))]


def _joined(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name
