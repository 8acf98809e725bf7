"""What a result depends on besides its configuration: code, versions, machine, data, seed."""

from __future__ import annotations

import hashlib
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path, PurePath
from typing import Any

from degu import __version__
from degu.tracking.values import flatten

PACKAGES = (
    "tensorflow",
    "keras",
    "numpy",
    "scipy",
    "scikit-learn",
    "pandas",
    "h5py",
    "mlflow",
    "hydra-core",
    "omegaconf",
    "evoaug-tf",
)
"""Distributions whose versions can move a number."""

_COMPUTING = ("backend", "version.keras", "version.numpy", "version.tensorflow", "version.jax", "version.scipy")

_GIT_SECONDS = 10


def collect(data_summary: Mapping[str, Any], seed: int, device: str, command: Sequence[str]) -> dict[str, str]:
    """Gather what is needed to tell whether two runs could have given the same numbers.

    No path of this machine is recorded, apart from those a user typed as arguments.

    Args:
        data_summary: Facts about the data, such as ``{"name": ..., "digest": ...}``; nested mappings are
            flattened.
        seed: Seed of the run; 0 is a seed.
        device: What the run computes on, such as ``cpu`` or the name of a GPU.
        command: Program and arguments, such as `sys.argv`.

    Returns:
        Flat texts: ``git.commit`` and ``git.dirty`` (in a checkout only), ``version.*``, ``backend``,
        ``platform.*``, ``data.*``, ``device``, ``seed``, ``started`` (UTC, ISO 8601) and ``command``.
    """
    return {
        **_checkout(Path(__file__).parent),
        **_versions(),
        **_platform(),
        **flatten({"data": data_summary}),
        "device": device,
        "seed": str(seed),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": _command_line(command),
    }


def code_digests() -> dict[str, str]:
    """Return what tells two states of the code apart, wherever it is installed.

    Returns:
        ``degu``, the SHA-256 of the package's Python files and their places in it, hexadecimal, and the versions of
        the libraries that compute.
    """
    package = Path(__file__).parent
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        digest.update(f"{path.relative_to(package).as_posix()}\0".encode() + path.read_bytes())
    versions = {name: version for name, version in _versions().items() if name in _COMPUTING}
    return {"degu": digest.hexdigest(), **versions}


def _checkout(package: Path) -> dict[str, str]:
    # A virtual environment often lies in another repository, whose commit says nothing about this code.
    if _git(package, "ls-files", "--error-unmatch", "__init__.py") is None:
        return {}
    commit = _git(package, "rev-parse", "HEAD")
    changes = _git(package, "status", "--porcelain")
    if commit is None or changes is None:
        return {}
    return {"git.commit": commit, "git.dirty": "true" if changes else "false"}


def _git(folder: Path, *arguments: str) -> str | None:
    # Inside a Git hook these variables point at the repository of the hook.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            check=True,
            timeout=_GIT_SECONDS,
            env=environment,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _versions() -> dict[str, str]:
    backend = _backend()
    found = {"version.degu": __version__, "version.python": platform.python_version(), "backend": backend}
    for name in dict.fromkeys((*PACKAGES, backend)):
        try:
            found[f"version.{name}"] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _backend() -> str:
    keras = sys.modules.get("keras")
    return keras.backend.backend() if keras else os.environ.get("KERAS_BACKEND", "tensorflow")


def _platform() -> dict[str, str]:
    return {
        "platform.os": f"{platform.system()} {platform.release()}",
        "platform.machine": platform.machine(),
        "platform.cpus": str(os.cpu_count()),
    }


def _command_line(command: Sequence[str]) -> str:
    program, *arguments = command or [""]
    return shlex.join([PurePath(program).name, *arguments])
