"""Coverage-guided fuzzing of the file readers with atheris: any exception other than DeguError is a finding.

    pip install atheris==3.0.0
    python benchmarks/fuzz/readers.py table corpus/ -max_total_time=600 -max_len=4096 -artifact_prefix=found/

The first argument names a reader (see READERS), the others are libFuzzer's. A corpus that is empty is seeded with small
valid files. What is found belongs in tests/hardening/test_bad_data.py.
"""

from __future__ import annotations

import gzip
import io
import logging
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["degu", "csv", "gzip", "zipfile", "tarfile", "numpy.lib"]):
    import h5py
    import numpy as np

    from degu import data
    from degu.data.bed import bed_table
    from degu.data.fasta import fasta_records
    from degu.errors import DeguError
    from degu.variants.reading import VariantTable, VcfFile

logging.disable(logging.CRITICAL)

TABLE = b"id\tsequence\tsplit\ty\nA\tACGT\ttrain\t1\nB\tACGN\tvalid\t2.5\nC\tacgt\ttest\t-1e-3\n"
FASTA = b">A first\nACGT\nAC\n>B\nacgnAC\n>C\nTTTTTT\n"
BED = b"track name=x\nchr1\t0\t4\ta\t1\t+\nchr2\t4\t8\tb\t2\t-\nchr3\t0\t4\tc\t3\t.\n"
VCF = b"##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\nchr1\t3\trs1\tA\tC,G\nchr1\t5\t.\tAC\tA\n"
VARIANTS = b"sequence\tposition\tref\talt\nACGTAC\t1\tC\tT\n"
GENOME = b">chr1\nACGTACGTAC\nGTACGT\n>chr2\nAACCGGTTAACC\n>chr3\nACGTACGT\n"


def main() -> None:
    """Fuzz one reader."""
    name, *arguments = sys.argv[1:]
    read, suffix, seeds = READERS[name]
    folder = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    path = folder / f"fuzzed{suffix}"
    corpora = [Path(argument) for argument in arguments if not argument.startswith("-")]
    if corpora:
        corpora[0].mkdir(parents=True, exist_ok=True)
        for number, seed in enumerate(seeds):
            (corpora[0] / f"seed{number}").write_bytes(seed)

    def test(content: bytes) -> None:
        path.write_bytes(content)
        try:
            read(path)
        except DeguError as error:
            if str(error).count("\n") > 3 or not str(error):
                raise AssertionError(f"a message of many lines: {error!r}") from error
        finally:
            for other in folder.iterdir():
                if other != path:
                    other.unlink()

    atheris.Setup([sys.argv[0], *arguments], test)
    atheris.Fuzz()


def table(path: Path) -> None:
    data.read_table(path, targets=["y"], id="id")


def fasta(path: Path) -> None:
    list(fasta_records(path))


def bed(path: Path) -> None:
    bed_table(path)


def genome(path: Path) -> None:
    from degu.data.genome import Genome

    with Genome(path) as source:
        size = source.length("chr1", "here")
        source.letters("chr1", 0, min(size, 100))


def bed_genome(path: Path) -> None:
    reference = path.with_name("genome.fa")
    reference.write_bytes(GENOME)
    data.read_bed(path, reference, targets=["score"], split=data.ByChromosome(["chr2"], ["chr3"]))


def vcf(path: Path) -> None:
    list(VcfFile(path))


def variants(path: Path) -> None:
    list(VariantTable(path))


def npz(path: Path) -> None:
    data.read_npz(path)


def hdf5(path: Path) -> None:
    data.read_hdf5(path)


def parquet(path: Path) -> None:
    data.read_table(path, targets=["y"], id="id")


def arrays() -> dict[str, np.ndarray]:
    """A small data set in the flat layout."""
    return {
        f"{kind}_{split}": np.zeros((2, 3), np.uint8) if kind == "x" else np.ones((2, 1))
        for kind in "xy"
        for split in ("train", "valid", "test")
    }


def npz_seed() -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays())
    return file.getvalue()


def hdf5_seed() -> bytes:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        for name, array in arrays().items():
            file[name] = array
    return buffer.getvalue()


def parquet_seed() -> bytes:
    import pyarrow
    from pyarrow import parquet as writer

    columns = {
        "id": ["A", "B", "C"],
        "sequence": ["ACGT"] * 3,
        "split": ["train", "valid", "test"],
        "y": [1.0, 2.0, 3.0],
    }
    sink = io.BytesIO()
    writer.write_table(pyarrow.table(columns), sink)
    return sink.getvalue()


READERS: dict[str, tuple[Callable[[Path], None], str, list[bytes]]] = {
    "table": (
        table,
        ".tsv",
        [TABLE, b"\xef\xbb\xbf" + TABLE.replace(b"\n", b"\r\n"), TABLE.replace(b"ACGT", b'"ACGT"')],
    ),
    "table_gz": (table, ".tsv.gz", [gzip.compress(TABLE, mtime=0)]),
    "fasta": (fasta, ".fa", [FASTA]),
    "bed": (bed, ".bed", [BED]),
    "bed_genome": (bed_genome, ".bed", [BED]),
    "genome": (genome, ".fa", [GENOME]),
    "vcf": (vcf, ".vcf", [VCF]),
    "variants": (variants, ".tsv", [VARIANTS]),
    "npz": (npz, ".npz", [npz_seed()]),
    "hdf5": (hdf5, ".h5", [hdf5_seed()]),
    "parquet": (parquet, ".parquet", [parquet_seed()]),
}

if __name__ == "__main__":
    os.environ.setdefault("HDF5_USE_FILE_LOCKING", "FALSE")
    main()
