"""What the results of a study depend on, and a key of it: two studies of one key have equal results."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from omegaconf import DictConfig

from degu.config import frozen, own_code
from degu.data import Splits
from degu.provenance import code_digests

NO_SCIENCE = ("name", "tracking", "executor", "resume", "checkpoint")
"""Groups and values of a config that say where and how a study runs, and not what it finds."""
NO_SCIENCE_OF_ENSEMBLES = ("on_member_failure", "min_members", "members")


def content_of(config: DictConfig, splits: Splits, members: Sequence[str] = ()) -> dict[str, Any]:
    """Return what the results of a study depend on.

    Args:
        config: The study's config.
        splits: Its data.
        members: Digests of members that were trained elsewhere.

    Returns:
        `config` without what is no science, the digest of the `data`, and digests and versions of the `code`, that of
        the user's own targets included.
    """
    science = {name: node for name, node in frozen(config).items() if name not in NO_SCIENCE}
    science["ensemble"] = {
        name: value for name, value in science["ensemble"].items() if name not in NO_SCIENCE_OF_ENSEMBLES
    }
    code = {**code_digests(), **own_code(config)}
    content = {"config": science, "data": splits.digest, "code": code}
    return {**content, "members": list(members)} if members else content


def key_of(content: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a content, hexadecimal."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def differences(kept: Any, given: Any, name: str = "") -> list[str]:
    """Return what differs between two contents, one text a value: `name: kept -> given`."""
    if isinstance(kept, Mapping) and isinstance(given, Mapping):
        found = []
        for key in dict.fromkeys((*kept, *given)):
            inner = f"{name}.{key}" if name else str(key)
            found += differences(kept.get(key), given.get(key), inner)
        return found
    return [] if kept == given else [f"{name.removeprefix('config.')}: {_short(kept)} -> {_short(given)}"]


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
