"""What a study consists of, written down at its end: its config, and digests of its weights, data and files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from degu.data import Splits
from degu.errors import DataError
from degu.files import whole, write_json
from degu.manifest.finding import Finding
from degu.manifest.rows import ROW_DIGESTS, row_digests

MANIFEST = "manifest.json"
FORMAT = 1
_UNSTABLE = (MANIFEST, "study.json")
"""Files that a study goes on writing after its manifest."""

_FOLDERS = ("evaluation", "histories", "predictions", "student", "weights")
_WEIGHTS = ".weights.h5"


def write_manifest(folder: Path, config: Mapping[str, Any], splits: Splits) -> tuple[Path, Path]:
    """Write down what a finished study consists of.

    Args:
        folder: Its output folder.
        config: Its resolved config, plain values.
        splits: Its data, as it used them.

    Returns:
        The manifest, and the digests of the data's rows.
    """
    rows = folder / ROW_DIGESTS
    with whole(rows) as partial:
        np.savez_compressed(partial, **row_digests(splits))  # type: ignore[arg-type]
    files = sorted(_files(folder))
    manifest = {
        "format": FORMAT,
        "config": leaves(config),
        "files": {name: file_digest(folder / name) for name in files},
        "tensors": {name: tensor_digests(folder / name) for name in files if name.endswith(_WEIGHTS)},
    }
    write_json(folder / MANIFEST, manifest)
    return folder / MANIFEST, rows


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read what a study consisted of at its end.

    Raises:
        DataError: When there is no manifest, or it cannot be read.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise DataError(
            f"{path}: expected the manifest that a finished study has, received none. An earlier version of degu "
            "or an interrupted study left this folder; `degu reproduce` without --check runs it again."
        )
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        if manifest["format"] != FORMAT:
            raise DataError(f"{path}: expected format {FORMAT}, received {manifest['format']}.")
        missing = {"config", "files", "tensors"} - set(manifest)
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: expected the manifest of a study, received: {error!r}.") from error
    if missing:
        raise DataError(f"{path}: expected {', '.join(sorted(missing))}, received a manifest without.")
    return manifest


def changed_config(manifest: Mapping[str, Any], config: Mapping[str, Any]) -> list[Finding]:
    """Compare the leaves of a config with those of the study."""
    kept, now = manifest["config"], leaves(config)
    found = []
    for leaf in dict.fromkeys((*kept, *now)):
        before, after = (json.dumps(part[leaf]) if leaf in part else "absent" for part in (kept, now))
        if before != after:
            found.append(Finding("config", leaf, before, after))
    return found


def changed_files(manifest: Mapping[str, Any], folder: Path) -> list[Finding]:
    """Compare files with their digests; of weight files the tensors that differ are named."""
    found = []
    for name, digest in manifest["files"].items():
        path = folder / name
        if not path.is_file():
            found.append(Finding("file", name, _short(digest), "no such file"))
            continue
        now = file_digest(path)
        if now == digest:
            continue
        tensors = _changed_tensors(manifest["tensors"][name], path) if name in manifest["tensors"] else []
        found += [Finding("weights", f"{name}, {where}", *change) for where, *change in tensors]
        if not tensors:
            found.append(Finding("file", name, _short(digest), _short(now)))
    return found


def leaves(config: Any, path: str = "") -> dict[str, Any]:
    """Return the leaves of plain values by their dotted place; an empty mapping or list is a leaf."""
    if isinstance(config, Mapping) and config:
        pairs: Iterable[tuple[Any, Any]] = config.items()
    elif isinstance(config, list | tuple) and config:
        pairs = enumerate(config)
    else:
        return {path: config}
    found: dict[str, Any] = {}
    for key, value in pairs:
        found |= leaves(value, f"{path}.{key}" if path else str(key))
    return found


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def tensor_digests(path: Path) -> dict[str, str]:
    """Return a digest of every tensor of a weight file by its name in the file.

    Raises:
        OSError: When it is no HDF5 file.
    """
    found: dict[str, str] = {}

    def add(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            values = np.ascontiguousarray(item[()])
            content = f"{values.shape}{values.dtype.str}".encode() + values.tobytes()
            found[name] = hashlib.sha256(content).hexdigest()

    with h5py.File(path, "r") as file:
        file.visititems(add)
    return found


def _changed_tensors(kept: Mapping[str, str], path: Path) -> list[tuple[str, str, str]]:
    try:
        now = tensor_digests(path)
    except (OSError, RuntimeError) as error:
        return [("the whole file", "a weight file", str(error))]
    names = [name for name in dict.fromkeys((*kept, *now)) if kept.get(name) != now.get(name)]
    return [(f"tensor {name}", _short(kept.get(name)), _short(now.get(name))) for name in names]


def _short(digest: str | None) -> str:
    return "absent" if digest is None else f"sha256 {digest[:12]}"


def _files(folder: Path) -> Iterator[str]:
    for path in (*folder.glob("*.json"), *folder.glob("comparison.txt")):
        if path.name not in _UNSTABLE and not path.name.startswith("."):
            yield path.name
    for part in _FOLDERS:
        for path in (folder / part).rglob("*"):
            if path.is_file() and not path.name.startswith("."):
                yield path.relative_to(folder).as_posix()
