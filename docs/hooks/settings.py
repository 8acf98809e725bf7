"""Every key of `conf/` with its default and its meaning, from the YAML files and from the docstrings they name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import griffe
import public
import yaml

CONF = public.ROOT / "conf"
SPECIAL = {"_target_", "_partial_", "_self_", "_convert_", "_args_"}
HIDDEN = {"defaults"}


@dataclass(frozen=True)
class Key:
    """One key of a file.

    Attributes:
        path: With dots, as on the command line but for the group in front of it.
        default: The value in the file, as YAML; empty for a key that only has keys of its own.
        comment: What the file says behind it.
        target: Function or class whose argument it is; None where none is near.
        argument: Its name there.
    """

    path: str
    default: str
    comment: str
    target: str | None
    argument: str


@dataclass(frozen=True)
class Choice:
    """One file of a group: its first comment, its target, the choices it is made of, its keys."""

    group: str
    name: str
    text: str
    target: str | None
    bases: tuple[str, ...]
    keys: tuple[Key, ...]

    @property
    def source(self) -> str:
        """The file as it stands."""
        return file_of(self.group, self.name).read_text(encoding="utf-8")


def file_of(group: str, name: str) -> Path:
    """Return the path of a choice."""
    return CONF / group / f"{name}.yaml"


@cache
def groups() -> dict[str, list[Choice]]:
    """Return every group and its choices."""
    found: dict[str, list[Choice]] = {}
    for path in sorted(CONF.rglob("*.yaml")):
        group = path.parent.relative_to(CONF).as_posix()
        if group != ".":
            found.setdefault(group, []).append(read(group, path.stem))
    return found


@cache
def read(group: str, name: str) -> Choice:
    """Read one file; the group "" has the file `config`."""
    text = file_of(group, name).read_text(encoding="utf-8")
    tree = yaml.compose(text)
    keys = tuple(_keys(tree, text.splitlines(), "")) if isinstance(tree, yaml.MappingNode) else ()
    values = yaml.safe_load(text) or {}
    bases = tuple(_bases(values))
    target = values.get("_target_") or next(
        (read(group, base).target for base in bases if is_choice(group, base)), None
    )
    return Choice(group, name, _first_comment(text), target, bases, keys)


def is_choice(group: str, base: str) -> bool:
    """Whether an entry of a defaults list is another choice of the group."""
    return ":" not in base and base != "_self_" and file_of(group, base).is_file()


def _first_comment(text: str) -> str:
    lines = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        if not line.startswith("# @package"):
            lines.append(line.removeprefix("#").strip())
    return "\n".join(lines)


def _bases(values: dict) -> Iterator[str]:
    for entry in values.get("defaults", ()):
        if isinstance(entry, str):
            yield entry
        else:
            yield from (f"{place}: {'null' if choice is None else choice}" for place, choice in entry.items())


def _keys(node: yaml.MappingNode, lines: list[str], path: str) -> Iterator[Key]:
    target = next((value.value for key, value in node.value if key.value == "_target_"), None)
    for key, value in node.value:
        if key.value in SPECIAL or (not path and key.value in HIDDEN):
            continue
        place = f"{path}.{key.value}" if path else key.value
        plain = target is not None and "_target_" not in str(value)  # one argument, whatever it is made of
        yield Key(place, _default(value, plain), _comment(key, value, lines), target, key.value)
        if not plain:
            yield from _inner(value, lines, place)


def _inner(node: yaml.Node, lines: list[str], place: str) -> Iterator[Key]:
    if isinstance(node, yaml.MappingNode):
        yield from _keys(node, lines, place)
    elif isinstance(node, yaml.SequenceNode) and not node.flow_style:
        for index, item in enumerate(node.value):
            if isinstance(item, yaml.MappingNode):
                yield from _keys(item, lines, f"{place}[{index}]")


def _default(node: yaml.Node, plain: bool) -> str:
    if isinstance(node, yaml.ScalarNode):
        return node.value or "null"
    if plain or not node.value or node.flow_style:
        values = yaml.SafeLoader("").construct_document(node)
        return yaml.safe_dump(values, default_flow_style=True, width=1000).strip()
    pairs = node.value if isinstance(node, yaml.MappingNode) else ()
    return next((value.value for key, value in pairs if key.value == "_target_"), "")


def _comment(key: yaml.Node, value: yaml.Node, lines: list[str]) -> str:
    """Return what stands behind a value that ends on a line, or else behind its key."""
    ends = [key.end_mark]
    if isinstance(value, yaml.ScalarNode) or value.flow_style:
        ends.insert(0, value.end_mark)
    rests = (lines[end.line][end.column :] for end in ends if end.line < len(lines))
    comments = (rest.partition("#")[2].strip() for rest in rests)
    return next((comment for comment in comments if comment), "")


def meaning(choice: Choice, key: Key) -> str:
    """Return what a key means: the comment of its file, else the docstring, else the comment of another choice."""
    if key.comment:
        return key.comment
    target = key.target or (choice.target if "." not in key.path else None)
    described = argument(target, key.argument) if target else ""
    if described:
        return described
    return next(
        (
            other.comment
            for sibling in groups().get(choice.group, ())
            for other in sibling.keys
            if other.path == key.path and other.comment
        ),
        "",
    )


@cache
def documented(target: str) -> griffe.Object | None:
    """Return what griffe read of a function or class named in a config; None for a library without sources."""
    path = public.home(target)
    try:
        if path.startswith("degu."):
            return public.sources()[path.removeprefix("degu.")]
        return griffe.load(path, docstring_parser="google", resolve_aliases=True, allow_inspection=False)
    except (KeyError, ImportError, ModuleNotFoundError):
        return None


def argument(target: str, name: str) -> str:
    """Return what the docstring of a function or class says of an argument, on one line."""
    found = documented(target)
    for owner in _owners(found):
        if owner.docstring is None:
            continue
        for section in owner.docstring.parse("google"):
            if section.kind is griffe.DocstringSectionKind.parameters:
                for parameter in section.value:
                    if parameter.name == name:
                        return " ".join(parameter.description.split())
    return ""


def _owners(found: griffe.Object | None) -> Iterator[griffe.Object]:
    """Yield an object, its `__init__`, and its bases: an argument may be described in any of them."""
    if found is None:
        return
    yield found
    if isinstance(found, griffe.Class):
        if "__init__" in found.members:
            yield found.members["__init__"]
        yield from found.mro()
