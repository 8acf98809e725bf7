"""Files with attribution maps: for TF-MoDISco, for tangermeme, and as a table."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import ArrayLike, NDArray

from degu.attribution.maps import of_sequence
from degu.data.encoding import LETTERS, UNKNOWN, detokenize, one_hot, tokens_from_one_hot
from degu.errors import DataError


def write_maps(folder: str | Path, x: ArrayLike, maps: ArrayLike, ids: Sequence[str]) -> list[Path]:
    """Write maps in the forms that TF-MoDISco and tangermeme read: letters first, `(N, 4, L)`.

    `modisco motifs -s ohe.npz -a shap.npz -w L -n 2000` finds motifs in them; `-w` is needed, because it looks at
    windows of 400 letters otherwise. tangermeme takes the arrays as tensors.

    Args:
        folder: Made if it does not exist; files in it are replaced.
        x: Tokens `(N, L)` uint8 or one-hot sequences `(N, L, 4)`.
        maps: Maps with a value for every letter, `(N, L, 4)`: saliency, mutagenesis, or hypothetical contributions.
        ids: N names of the sequences, each a word.

    Returns:
        `ohe.npz` and `shap.npz` with one array each, `attributions.h5` with `raw/seq`, `shap/seq` and
        `projected_shap/seq` (values of the sequences' own letters), and `sequences.fa`.

    Raises:
        DataError: When the parts do not fit together.

    References:
        Shrikumar et al. (2018), "Technical note on transcription factor motif discovery from importance scores
        (TF-MoDISco)", arXiv:1811.00416.
    """
    tokens, values = _checked(x, maps, ids)
    encoded = one_hot(tokens)
    parts: dict[str, NDArray] = {
        "raw": encoded.astype(np.int8),
        "shap": values,
        "projected_shap": of_sequence(values, encoded),
    }
    channels_first = {name: np.ascontiguousarray(part.transpose(0, 2, 1)) for name, part in parts.items()}
    home = Path(folder)
    home.mkdir(parents=True, exist_ok=True)
    files = [home / name for name in ("ohe.npz", "shap.npz", "attributions.h5", "sequences.fa")]
    np.savez_compressed(files[0], channels_first["raw"])
    np.savez_compressed(files[1], channels_first["shap"])
    with h5py.File(files[2], "w") as file:
        for name, part in channels_first.items():
            file.create_dataset(f"{name}/seq", data=part, compression="gzip")
        file.create_dataset("ids", data=list(ids), dtype=h5py.string_dtype())
    records = (f">{name}\n{letters}\n" for name, letters in zip(ids, detokenize(tokens), strict=True))
    files[3].write_text("".join(records), encoding="utf-8")
    return files


def write_contributions(
    path: str | Path, x: ArrayLike, maps: ArrayLike, ids: Sequence[str], spread: ArrayLike | None = None
) -> Path:
    """Write what every letter of the sequences contributes, one row a position.

    Args:
        path: A `.tsv` file.
        x: Tokens `(N, L)` uint8 or one-hot sequences `(N, L, 4)`.
        maps: Maps `(N, L, 4)`.
        ids: N names of the sequences.
        spread: Standard deviation of the contribution over models, `(N, L)`; None leaves the column out.

    Returns:
        The path. Columns: `id`, `position` (from 0), `letter`, `contribution` and, if given, `spread`.

    Raises:
        DataError: When the parts do not fit together.
    """
    tokens, values = _checked(x, maps, ids)
    columns = {"contribution": of_sequence(values, tokens).sum(axis=-1)}
    if spread is not None:
        columns["spread"] = np.asarray(spread)
        if columns["spread"].shape != tokens.shape:
            raise DataError(f"spread: expected shape {tokens.shape}, received {columns['spread'].shape}.")
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(["id", "position", "letter", *columns])
        for row, name in enumerate(ids):
            for position, token in enumerate(tokens[row]):
                numbers = (f"{column[row, position]:.6g}" for column in columns.values())
                writer.writerow([name, position, LETTERS[token], *numbers])
    return target


def _checked(x: ArrayLike, maps: ArrayLike, ids: Sequence[str]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Return tokens `(N, L)` and maps `(N, L, 4)` that fit together."""
    x, values = np.asarray(x), np.asarray(maps, dtype=np.float32)
    tokens = x if x.ndim == 2 else tokens_from_one_hot(x)
    if values.shape != (*tokens.shape, UNKNOWN):
        raise DataError(f"maps: expected shape {(*tokens.shape, UNKNOWN)}, received {values.shape}.")
    if len(ids) != len(tokens):
        raise DataError(f"ids: expected {len(tokens)}, one per sequence, received {len(ids)}.")
    for name in ids:
        if len(str(name).split()) != 1:
            raise DataError(f"ids: expected names of one word, received {name!r}. Replace the spaces.")
    return tokens, values
