"""The configuration as pages: one for every group, with each choice and each key."""

from __future__ import annotations

import inspect

import griffe
import public
import settings
from settings import Choice, Key

HEAD = "| Key | In the file | Meaning |\n| --- | --- | --- |"


def pages() -> dict[str, str]:
    """Return the pages by path."""
    groups = settings.groups()
    found = {"reference/config/index.md": _overview(groups)}
    for group, choices in groups.items():
        text = "\n\n".join([f"# {group}", _sentence(purpose(group)), *map(_choice, choices)])
        found[f"reference/config/{group}.md"] = text + "\n"
    return found


def purpose(group: str) -> str:
    """Return what a group decides: the comment of its line in the defaults list of the main config."""
    for line in (settings.CONF / "config.yaml").read_text(encoding="utf-8").splitlines():
        entry, _, comment = line.partition("#")
        if entry.strip().removeprefix("- ").removeprefix("override ").strip("/").partition(":")[0] == group:
            return comment.strip()
    return ""


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}" if text else ""


def _overview(groups: dict[str, list[Choice]]) -> str:
    main = settings.read("", "config")
    chosen = dict(base.split(": ") for base in main.bases if ": " in base)
    rows = [
        f"| [{group}]({group}.md) | {_sentence(purpose(group))} | {', '.join(f'`{each.name}`' for each in choices)} |"
        f" `{chosen.get(group, chosen.get(f'override {group}', 'null'))}` |"
        for group, choices in groups.items()
    ]
    keys = [key for key in main.keys if not key.path.startswith("hydra.")]
    return "\n".join(
        [
            "# Configuration",
            "",
            "These pages are made from the files in `conf/` and from the docstrings of the functions that they name.",
            "`group=choice` picks a file, `group.key=value` changes one value, `degu run --cfg job` prints the result.",
            "",
            "## Groups",
            "",
            "| Group | Decides | Choices | By default |",
            "| --- | --- | --- | --- |",
            *rows,
            "",
            "## Keys outside of the groups",
            "",
            HEAD,
            *(_row(main, key) for key in keys),
            "",
        ]
    )


def _choice(choice: Choice) -> str:
    parts = [f"## {choice.name}", f"`{choice.group}={choice.name}`", _text(choice)]
    if choice.group == "experiment":
        return "\n\n".join([*parts, f"```yaml\n{choice.source.strip()}\n```"])
    if choice.target:
        parts.append(f"Target: {_linked(choice.target)}")
    for base in choice.bases:
        if settings.is_choice(choice.group, base):
            parts.append(f"All else as in [{base}](#{base}).")
        elif ":" in base:
            parts.append(_placed(choice.group, base))
    if choice.keys:
        parts.append("\n".join([HEAD, *(_row(choice, key) for key in choice.keys)]))
    return "\n\n".join(part for part in parts if part)


def _text(choice: Choice) -> str:
    if choice.text:
        return choice.text
    found = settings.documented(choice.target) if choice.target else None
    if found is None or found.docstring is None:
        return ""
    return inspect.cleandoc(found.docstring.value).split("\n\n")[0]


def _placed(group: str, base: str) -> str:
    """Return a sentence on a choice of another group inside of this one, such as `optional /model@student: null`."""
    place, _, name = base.removeprefix("optional ").partition(": ")
    if place.startswith("override "):
        return f"Sets `{place.removeprefix('override ').lstrip('/')}={name}`."
    source, _, inner = place.lstrip("/").partition("@")
    where = f"{source}@{group.replace('/', '.')}.{inner}" if inner else source
    return f"`{where}={name}`: any choice of the group `{source}` can stand there."


def _row(choice: Choice, key: Key) -> str:
    prefix = "" if not choice.group or "@package _global_" in choice.source else f"{choice.group.replace('/', '.')}."
    default = _linked(key.default) if key.default.startswith(("degu.", "keras.")) else _code(key.default)
    return f"| `{prefix}{key.path}` | {default} | {_sentence(_cell(settings.meaning(choice, key)))} |"


def _code(text: str) -> str:
    return f"`{_cell(text)}`" if text else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _linked(target: str) -> str:
    place = public.home(target)
    known = any(
        place == written or place.startswith(f"{written}.")
        for names in public.homes().values()
        for written in names.values()
    )
    found = settings.documented(target)
    if known and isinstance(found, griffe.Function | griffe.Class) and not target.endswith(".of"):
        return f"[`{target}`][{place}]"
    return f"`{target}`"
