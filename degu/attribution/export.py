"""Files with attribution maps: for TF-MoDISco, for tangermeme, and as a table."""

from __future__ import annotations

import contextlib
import csv
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import ArrayLike, NDArray

from degu.attribution.maps import of_sequence
from degu.data.encoding import LETTERS, UNKNOWN, detokenize, one_hot, tokens_from_one_hot
from degu.data.whole import whole_file, whole_text
from degu.errors import DataError

MAP_FILES = ("ohe.npz", "shap.npz", "attributions.h5", "sequences.fa")


class MapsWriter:
    """Writes maps of N sequences part by part; the files appear when all are written, or not at all.

    Used as a context manager. The files are those of `write_maps` and, with `contributions`, that of
    `write_contributions`.

    Args:
        folder: Made if it does not exist; files in it are replaced.
        total: Number of sequences N.
        contributions: Write `contributions.tsv` too.
    """

    def __init__(self, folder: str | Path, total: int, *, contributions: bool = False) -> None:
        self.folder = Path(folder)
        self.total = total
        self._names = [*MAP_FILES, *(["contributions.tsv"] if contributions else [])]
        self._stack = contextlib.ExitStack()
        self.written = 0
        self._opened: list[Any] = []
        self._partial: dict[str, Any] = {}

    def __enter__(self) -> MapsWriter:
        with contextlib.ExitStack() as stack:
            for name in self._names:
                is_text = name.endswith((".fa", ".tsv"))
                target = self.folder / name
                self._partial[name] = stack.enter_context(whole_text(target) if is_text else whole_file(target))
            self._stack = stack.pop_all()
        return self

    def append(self, x: ArrayLike, maps: ArrayLike, ids: Sequence[str], spread: ArrayLike | None = None) -> None:
        """Write the maps of some sequences behind those written.

        Args:
            x: Tokens `(n, L)` uint8 or one-hot sequences `(n, L, 4)`.
            maps: Maps with a value for every letter, `(n, L, 4)`.
            ids: n names of the sequences, each a word.
            spread: Standard deviation of the contributions over models, `(n, L)`, in every part or in none.

        Raises:
            DataError: When the parts do not fit together, or there are more than N sequences.
        """
        tokens, values = _checked(x, maps, ids)
        stop = self.written + len(tokens)
        if stop > self.total:
            raise DataError(f"maps: expected {self.total} sequences in all, received {stop}.")
        encoded = one_hot(tokens)
        parts: dict[str, NDArray] = {
            "raw": encoded.astype(np.int8),
            "shap": values,
            "projected_shap": of_sequence(values, encoded),
        }
        channels_first = {name: np.ascontiguousarray(part.transpose(0, 2, 1)) for name, part in parts.items()}
        if not self._opened:
            self._open(channels_first)
        raw, shap, file = self._opened
        raw.write(channels_first["raw"].tobytes())
        shap.write(channels_first["shap"].tobytes())
        for name, part in channels_first.items():
            file[f"{name}/seq"][self.written : stop] = part
        file["ids"][self.written : stop] = list(ids)
        records = zip(ids, detokenize(tokens), strict=True)
        self._partial["sequences.fa"].writelines(f">{name}\n{letters}\n" for name, letters in records)
        if "contributions.tsv" in self._partial:
            _write_rows(self._partial["contributions.tsv"], tokens, values, ids, spread, with_header=not self.written)
        self.written = stop

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> bool | None:
        if kind is not None or self.written == self.total:
            return self._stack.__exit__(kind, error, trace)
        missing = DataError(f"maps: expected {self.total} sequences in all, received {self.written}.")
        self._stack.__exit__(DataError, missing, None)
        raise missing

    def _open(self, first: dict[str, NDArray]) -> None:
        self._opened = [
            self._stack.enter_context(_npy_in_zip(self._partial[name], (self.total, *part.shape[1:]), part.dtype))
            for name, part in (("ohe.npz", first["raw"]), ("shap.npz", first["shap"]))
        ]
        file = self._stack.enter_context(h5py.File(self._partial["attributions.h5"], "w"))
        for name, part in first.items():
            shape = (self.total, *part.shape[1:])
            file.create_dataset(f"{name}/seq", shape, part.dtype, compression="gzip", chunks=(1, *part.shape[1:]))
        file.create_dataset("ids", (self.total,), h5py.string_dtype())
        self._opened.append(file)


@contextlib.contextmanager
def _npy_in_zip(path: Path, shape: tuple[int, ...], dtype: np.dtype) -> Iterator[Any]:
    """Open the only array of a `.npz` file, as `numpy.savez_compressed` names it, to write its bytes."""
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("arr_0.npy", "w", force_zip64=True) as member,
    ):
        header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(member, header)
        yield member


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
    with MapsWriter(folder, len(ids)) as writer:
        writer.append(x, maps, ids)
    return [Path(folder) / name for name in MAP_FILES]


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
    with whole_text(Path(path)) as file:
        _write_rows(file, tokens, values, ids, spread, with_header=True)
    return Path(path)


def _write_rows(
    file: Any, tokens: NDArray, values: NDArray, ids: Sequence[str], spread: ArrayLike | None, with_header: bool
) -> None:
    columns = {"contribution": of_sequence(values, tokens).sum(axis=-1)}
    if spread is not None:
        columns["spread"] = np.asarray(spread)
        if columns["spread"].shape != tokens.shape:
            raise DataError(f"spread: expected shape {tokens.shape}, received {columns['spread'].shape}.")
    writer = csv.writer(file, delimiter="\t", lineterminator="\n")
    if with_header:
        writer.writerow(["id", "position", "letter", *columns])
    for row, name in enumerate(ids):
        for position, token in enumerate(tokens[row]):
            numbers = (f"{column[row, position]:.6g}" for column in columns.values())
            writer.writerow([name, position, LETTERS[token], *numbers])


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
