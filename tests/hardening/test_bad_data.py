"""Data files that cannot be used: one message that says where and what to do, no traceback, nothing half-written.

Every case goes through the command line. `degu data check` ends with 2 where data cannot be read and with 1 where it
found something to mend; `degu run` refuses before it trains.
"""

from __future__ import annotations

import gzip
import io
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import pyarrow
import pyBigWig
import pytest
from pyarrow import parquet

from degu.cli import main

HEADER = "id\tsequence\tsplit\ty\trep1\trep2\n"
ROWS = [
    f"r{row}\t{letters}\t{split}\t{value}\t{value}\t{value}\n"
    for row, (letters, split, value) in enumerate(
        [
            ("ACGTACGTAC", "train", 1.5),
            ("TTGACCATGA", "train", -2.0),
            ("CCATTGNAGG", "train", 0.25),
            ("GATTACAGAT", "valid", 0.5),
            ("CGGCATATCC", "valid", 1.0),
            ("AAAGTCCTGC", "test", 2.5),
            ("TGCATTTGCG", "test", -1.0),
        ]
    )
]
GOOD = HEADER + "".join(ROWS)
GENOME = ">chr1\n" + "ACGTTGCAAC" * 4 + "\n>chr2\n" + "GGATCCATAT" * 4 + "\n>chr3\n" + "TTAGGCCATG" * 4 + "\n"
BED = "chr1\t0\t10\ta\t1\t+\nchr1\t20\t30\tb\t2\t-\nchr2\t0\t10\tc\t3\t+\nchr2\t20\t30\td\t4\t+\nchr3\t0\t10\te\t5\t.\n"
BED += "chr3\t20\t30\tf\t6\t-\n"


class Case(NamedTuple):
    """A data set with a fault.

    Attributes:
        name: The fault.
        make: Writes the files.
        arguments: What follows `degu data check`.
        code: Exit status.
        parts: What the message says.
        command: ``check`` or ``run``.
    """

    name: str
    make: Callable[[], Any]
    arguments: str
    code: int
    parts: list[str]
    command: str = "check"


def text(content: str | bytes, name: str = "my.tsv") -> Callable[[], Any]:
    data = content.encode() if isinstance(content, str) else content
    return lambda: Path(name).write_bytes(data)


def swap(old: str, new: str, count: int = 1) -> Callable[[], Any]:
    assert old in GOOD
    return text(GOOD.replace(old, new, count))


CHECK = "my.tsv --targets y --id id"
READ = "data=table data.path=my.tsv data.targets=[y] data.id=id"


def table(name: str, make: Callable[[], Any], *parts: str) -> list[Case]:
    """A fault that a reader refuses: by `degu run`'s own reader, with exit status 2."""
    return [Case(name, make, READ, 2, ["my.tsv", *parts])]


def both(name: str, make: Callable[[], Any], read: list[str], found: list[str]) -> list[Case]:
    """A fault that a reader refuses, and that the check finds and goes on."""
    return [Case(name, make, READ, 2, ["my.tsv", *read]), Case(f"{name}, checked", make, CHECK, 1, found)]


TABLES = [
    *table("wrong column", swap("sequence", "seqence"), "line 1", "expected a column 'sequence'", "mean 'seqence'"),
    *table("wrong target", swap("\ty\t", "\tactivity\t"), "line 1", "expected a column 'y'"),
    *table("wrong delimiter", text(GOOD.replace("\t", ",")), "line 1", "separated by '\\t'", "Name the delimiter"),
    *table("semicolons", text(GOOD.replace("\t", ";")), "line 1", "Name the delimiter"),
    *both(
        "U",
        swap("GATTACA", "GAUUACA"),
        ["line 5", "'sequence'", "position 2", "'U'", "as_t"],
        ["1 sequences hold U", "line 5", "uracil=as_t"],
    ),
    *both(
        "IUPAC letter",
        swap("GATTACA", "GARTACA"),
        ["line 5", "position 2", "'R'", "ambiguous=as_n"],
        ["letters that stand for several bases", "line 5", "ambiguous=as_n"],
    ),
    *both(
        "no letter",
        swap("GATTACA", "GA-TACA"),
        ["line 5", "position 2", "'-'", "write N"],
        ["1 sequences hold letters that are no bases", "line 5"],
    ),
    *both(
        "ragged lengths",
        swap("GATTACAGAT", "GATTACA"),
        ["line 5", "expected 10 letters as in line 2", "received 7", "pad them with N"],
        ["1 sequences have another length than most", "line 5"],
    ),
    *both("empty sequence", swap("GATTACAGAT", ""), ["line 5", "received an empty one"], ["another length", "line 5"]),
    *both(
        "infinite target",
        swap("-2.0", "inf"),
        ["line 3", "'y'", "a finite number", "'inf'", "pseudocount"],
        ["1 cells hold no finite number", "'inf'", "line 3"],
    ),
    *both("text in a target", swap("-2.0", "high"), ["line 3", "'y'", "'high'"], ["'high'", "line 3"]),
    *both("decimal comma", swap("-2.0", "-2,0"), ["line 3", "'y'", "Write a decimal point"], ["'-2,0'", "line 3"]),
    *both("too large for float32", swap("-2.0", "1e40"), ["line 3", "'y'", "'1e40'"], ["'1e40'", "line 3"]),
    *both(
        "duplicate ids",
        swap("r3\t", "r1\t"),
        ["line 5", "'id'", "'r1' again after line 3"],
        ["1 ids are repeated", "'r1'", "line 5"],
    ),
    *both(
        "no valid rows",
        text(GOOD.replace("\tvalid\t", "\tval\t")),
        ["'split'", "'valid' for the valid split", "'val' (2 rows)"],
        ["no rows for valid", "'val' (2 rows)"],
    ),
    *table(
        "only targets that were not measured", text(re.sub(r"\t-?\d\.\d+\t", "\t\t", GOOD)), "expected measured rows"
    ),
    Case(
        "a target that one split never measured",
        text(GOOD.replace("valid\t0.5", "valid\tNA").replace("valid\t1.0", "valid\t")),
        READ.replace("[y]", "[y,rep1]"),
        2,
        ["my.tsv", "valid split", "'y'", "received only NaN"],
    ),
    Case("constant target", text(re.sub(r"\t-?\d\.\d+\t-?\d", "\t1.0\t1", GOOD)), CHECK, 1, ["'y' is constant"]),
    Case("one-row split", text(GOOD.replace(ROWS[-1], "")), CHECK, 1, ["target 'y': 1 measured row(s) in test"]),
    Case(
        "train-test leak",
        swap("AAAGTCCTGC", "ACGTACGTAC"),
        CHECK,
        1,
        ["1 of 2 test sequences are also in train", "degu data split"],
    ),
    Case(
        "reverse complement leak",
        swap("AAAGTCCTGC", "TCATGGTCAA"),
        CHECK,
        1,
        ["0 of 2 test sequences are also in train, and 1 more are there as their reverse complement"],
    ),
    *table("header only", text(HEADER), "expected rows below the header"),
    *table("empty file", text(""), "empty file"),
    *table("blank lines only", text("\n\n\n"), "line 1", "expected a column"),
    *table("short row", swap("\t0.25\t0.25\n", "\n"), "line 4", "expected 6 fields as in the header, received 4"),
    *table("long row", swap("0.25\n", "0.25\tx\n"), "line 4", "received 7"),
    *table("open quote", swap("r3", '"r3'), "line 5", "expected delimited fields"),
    *table("duplicate header", text(GOOD.replace("rep1", "y", 1)), "line 1", "one column 'y', received 2"),
    *table("non-UTF-8 bytes", text(GOOD.encode().replace(b"r3", b"r\xff")), "expected UTF-8 text", "Convert it"),
    *table("UTF-16", text(GOOD.encode("utf-16")), "expected UTF-8 text"),
    *table("NUL bytes", text(GOOD.replace("r3", "r\0")), "line 5", "NUL character", "copy or export it again"),
    *table("gzip data without .gz", text(gzip.compress(GOOD.encode())), "Add .gz to the name"),
    Case("very long line", text(HEADER + "A" * (1 << 24) + "\n"), READ, 2, ["my.tsv, line 2", "less than 16777216"]),
    Case(
        "gz of nothing",
        text(gzip.compress(b""), "my.tsv.gz"),
        READ.replace("tsv", "tsv.gz"),
        2,
        ["my.tsv.gz", "header"],
    ),
    Case("gz of no bytes", text(b"", "my.tsv.gz"), READ.replace("tsv", "tsv.gz"), 2, ["my.tsv.gz", "empty file"]),
    Case(
        "gz cut short",
        text(gzip.compress(GOOD.encode())[:-20], "my.tsv.gz"),
        READ.replace("tsv", "tsv.gz"),
        2,
        ["my.tsv.gz, after line", "cut short", "Copy the file again"],
    ),
    Case(
        "gz damaged",
        text(gzip.compress(GOOD.encode())[:-8] + bytes(8), "my.tsv.gz"),
        READ.replace("tsv", "tsv.gz"),
        2,
        ["my.tsv.gz, after line", "damaged gzip data"],
    ),
    Case("text called gz", text(GOOD, "my.tsv.gz"), READ.replace("tsv", "tsv.gz"), 2, ["expected gzip data"]),
    Case("no such file", text(GOOD, "mine.tsv"), READ, 2, ["my.tsv", "has none of this name", "mean 'mine.tsv'"]),
    Case("no such folder", text(GOOD), READ.replace("my.tsv", "data/my.tsv"), 2, ["data/my.tsv", "there is no folder"]),
    Case("a folder", lambda: Path("my.tsv").mkdir(), READ, 2, ["my.tsv", "received a folder", "inside it"]),
    Case("a pipe", lambda: os.mkfifo("my.tsv"), READ, 2, ["my.tsv", "a device or a pipe"]),
    Case("unknown suffix", text(GOOD, "my.xlsx"), READ.replace("tsv", "xlsx"), 2, ["my.xlsx", "'.xlsx'"]),
    Case("table in the run", swap("-2.0", "x"), READ, 2, ["my.tsv, line 3, column 'y'"], "run"),
    Case("leak in the run's splits", swap("r6", "r5"), READ, 2, ["'r5' again after line 7"], "run"),
    Case("missing path in the run", text(GOOD), READ.replace("my.tsv", "your.tsv"), 2, ["your.tsv"], "run"),
]


def fasta(name: str, letters: str, *parts: str, values: str = GOOD) -> Case:
    def make() -> None:
        Path("my.fa").write_text(letters)
        Path("my.tsv").write_text(values)

    return Case(name, make, "data=fasta data.path=my.fa data.values=my.tsv data.targets=[y]", 2, list(parts))


RECORDS = "".join(f">r{row} x\n{line.split()[1]}\n" for row, line in enumerate(ROWS))
FASTAS = [
    fasta("no FASTA", "ACGT\n", "my.fa, line 1", "expected '>' and a name"),
    fasta("record without a name", RECORDS.replace(">r3 x", ">"), "my.fa, line 7", "expected a name behind '>'"),
    fasta("two records of a name", RECORDS.replace(">r3", ">r1"), "my.fa, line 7", "'r1' again after line 3"),
    fasta("missing record", RECORDS.replace(">r3", ">q3"), "my.tsv, line 5, column 'id'", "'r3'"),
    fasta(
        "ragged records", RECORDS.replace("GATTACAGAT", "GATTACAGATT"), "my.fa", "record 'r3' of line 7", "received 11"
    ),
    fasta("empty record", RECORDS.replace("GATTACAGAT\n", ""), "record 'r3' of line 7", "received an empty one"),
    fasta("values cut short", RECORDS, "expected measured rows with 'test'", values=HEADER + "".join(ROWS[:5])),
]


def region(name: str, bed: str, *parts: str, genome: str = GENOME, more: str = "data.targets=[score]") -> Case:
    def make() -> None:
        Path("my.bed").write_text(bed)
        Path("my.fa").write_text(genome)
        with pyBigWig.open("my.bw", "w") as track:
            track.addHeader([("chr1", 40), ("chr2", 40)])
            track.addEntries(["chr1"], [0], ends=[40], values=[1.0])
        Path("cut.bw").write_bytes(Path("my.bw").read_bytes()[:300])

    rule = "data.split.valid=[chr2] data.split.test=[chr3]"
    return Case(name, make, f"data=bed data.path=my.bed data.genome=my.fa {rule} {more}", 2, list(parts))


TRACK = "data.bigwigs={{signal:{}}}"
REGIONS = [
    region(
        "BED past the chromosome's end", BED.replace("20\t30\td", "32\t42\td"), "my.bed, line 4", "chr2", "40 bases"
    ),
    region("BED with spaces", BED.replace("\t", " "), "my.bed, line 1", "tab-separated"),
    region("BED end before start", BED.replace("20\t30\tb", "30\t20\tb"), "my.bed, line 2", "an end behind the start"),
    region("BED with a negative start", BED.replace("20\t30\tb", "-5\t5\tb"), "my.bed, line 2, start"),
    region("BED with a wrong strand", BED.replace("4\t+", "4\t?"), "my.bed, line 4, strand"),
    region("BED without regions", "# nothing\n", "my.bed", "expected regions"),
    region("BED with a missing column", BED.replace("\t4\t+", "\t4"), "my.bed, line 4", "expected 6 columns"),
    region(
        "chromosome that the genome lacks",
        BED.replace("chr3", "3"),
        "my.bed, line 5",
        "'3'",
        more="data.targets=[score] data.split.test=['3']",
    ),
    region("chromosome that no region is on", BED, "chr7", more="data.targets=[score] data.split.test=[chr7]"),
    region("no genome", BED, "my.fa", "expected a FASTA file", genome="nothing"),
    region("bigWig without the chromosome", BED, "my.bed, line 5", "my.bw", "'chr3'", more=TRACK.format("my.bw")),
    region("bigWig cut short", BED, "cut.bw", "bigWig", more=TRACK.format("cut.bw")),
    region("no bigWig", BED, "my.bed", "expected a bigWig file", more=TRACK.format("my.bed")),
    region("no targets", BED, "expected either bigwigs, or targets", more=""),
]


def arrays(name: str, change: Callable[[h5py.File], Any], *parts: str, more: str = "") -> Case:
    def make() -> None:
        rng = np.random.default_rng(0)
        with h5py.File("other.h5", "w") as other:
            other["x"] = np.zeros((4, 8), np.uint8)
        with h5py.File("my.h5", "w") as file:
            for split in ("Train", "Valid", "Test"):
                file[f"X_{split}"] = rng.integers(0, 4, (4, 8), dtype=np.uint8)
                file[f"y_{split}"] = rng.normal(size=(4, 2))
            change(file)

    return Case(name, make, f"data=hdf5 data.path=my.h5 {more}", 2, ["my.h5", *parts])


def put(name: str, value: Any) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        del file[name]
        if value is not None:
            file[name] = value

    return change


ARRAYS = [
    arrays("HDF5 with a missing key", put("y_Test", None), "expected arrays such as X_Train", "'X_Test'"),
    arrays(
        "HDF5 with another key",
        put("y_Test", None),
        "expected an array 'y_Test'",
        more="data.x='X_{split}' data.y='y_{split}' data.splits={train:Train,valid:Valid,test:Test}",
    ),
    arrays("HDF5 with targets that do not fit", put("y_Valid", np.zeros((3, 2))), "y_Valid", "expected shape (4, K)"),
    arrays("HDF5 with channels in the middle of nowhere", put("X_Valid", np.zeros((4, 8, 5))), "X_Valid", "(4, 8, 5)"),
    arrays("HDF5 with tokens out of range", put("X_Valid", np.full((4, 8), 7)), "X_Valid", "expected integers 0 to 4"),
    arrays("HDF5 with soft channels", put("X_Valid", np.full((4, 8, 4), 0.25)), "X_Valid", "expected a single 1"),
    arrays("HDF5 with infinite targets", put("y_Train", np.full((4, 2), np.inf)), "y_Train, row 0, column 0"),
    arrays("HDF5 with an external link", put("X_Test", h5py.ExternalLink("other.h5", "/x")), "X_Test", "another file"),
    arrays("HDF5 with a link to nowhere", put("X_Test", h5py.SoftLink("/nothing")), "nothing"),
    arrays(
        "HDF5 with another length", put("X_Test", np.zeros((4, 9), np.uint8)), "test split: expected sequence length 8"
    ),
    arrays("HDF5 with a wrong number of names", lambda file: None, "expected 1 column(s)", more="data.targets=[Dev]"),
]


def parquet_file(**columns: Any) -> Callable[[], Any]:
    return lambda: parquet.write_table(pyarrow.table(columns), "my.parquet")


SEQUENCES = ["ACGTAC", "TTGACC", "GGCATA"]
SPLITS = ["train", "valid", "test"]
PARQUETS = [
    Case(
        "Parquet with a column of lists",
        parquet_file(sequence=SEQUENCES, split=SPLITS, y=[[1.0]] * 3),
        "data=table data.path=my.parquet data.targets=[y]",
        2,
        ["my.parquet, column 'y'", "list"],
    ),
    Case(
        "Parquet with a wrong letter",
        parquet_file(sequence=["ACGTAC", "TTXACC", "GGCATA"], split=SPLITS, y=[1.0] * 3),
        "data=table data.path=my.parquet data.targets=[y]",
        2,
        ["my.parquet", "row 2", "'X'"],
    ),
    Case("no Parquet", text(GOOD, "my.parquet"), "data=table data.path=my.parquet data.targets=[y]", 2, ["my.parquet"]),
    Case(
        "Parquet without rows",
        parquet_file(sequence=pyarrow.array([], "string"), y=pyarrow.array([], "float64")),
        "my.parquet",
        2,
        ["my.parquet", "expected rows"],
    ),
]


def npz() -> None:
    buffer = io.BytesIO()
    np.savez(buffer, X_Train=np.zeros((2, 3), np.uint8))
    Path("my.npz").write_bytes(buffer.getvalue()[:-30])


OTHERS = [
    Case(
        "HDF5 cut short",
        lambda: (ARRAYS[0].make(), os.truncate("my.h5", Path("my.h5").stat().st_size // 2)),
        "my.h5",
        2,
        ["my.h5", "expected an HDF5 file"],
    ),
    Case("no HDF5", text(GOOD, "my.h5"), "my.h5", 2, ["my.h5", "expected an HDF5 file"]),
    Case("npz cut short", npz, "my.npz", 2, ["my.npz", "expected a .npz file"]),
    Case(
        "npz with objects",
        lambda: np.savez(
            "my.npz", **{f"{kind}_{split}": np.array([{}] * 2, dtype=object) for kind in "xy" for split in SPLITS}
        ),
        "my.npz",
        2,
        ["my.npz, x_train", "Python objects"],
    ),
]
CASES = [*TABLES, *FASTAS, *REGIONS, *ARRAYS, *PARQUETS, *OTHERS]


def test_there_are_enough_cases_and_each_has_a_name() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 45


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_data_that_cannot_be_used(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    case.make()
    before = {path.name for path in tmp_path.iterdir()}
    words = ["data", "check"] if case.command == "check" else ["run", "tracking=none", "device=cpu"]

    code = run([*words, *case.arguments.split()], case.command)

    out, err = capfd.readouterr()
    assert code == case.code, err or out
    message = out if code == 1 else err
    for part in case.parts:
        assert part in message
    assert "Traceback" not in out + err
    left = {path.name for path in tmp_path.iterdir()} - before
    assert left <= {"my.fa.fai", "outputs"}
    assert [path for path in tmp_path.glob("outputs/**/*") if path.is_file()] == []
    if code == 2:
        assert err.count("degu: ") == 1
        # under pytest, sys.stderr is not descriptor 2, and what libBigWig writes there cannot be held back
        own = [line for line in err.splitlines() if not line.startswith("[")]
        assert case.command == "run" or len(own) < 4
    else:
        assert "PROBLEM: " in out


def run(arguments: list[str], command: str) -> int:
    """Run the command line; `degu run` in a process of its own, because Hydra closes the logging of the process."""
    if command == "check":
        return main(arguments)
    code = "import sys; from degu.cli import main; sys.exit(main())"
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    sys.stdout.write(done.stdout)
    sys.stderr.write(done.stderr)
    return done.returncode


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "my.tsv"
    path.write_text(GOOD)
    path.chmod(0)
    assert main(["data", "check", str(path)]) == 2
    assert "expected a file that can be read, received: Permission denied" in capsys.readouterr().err


SAME = {
    "plain": GOOD.encode(),
    "lower case": GOOD.replace("GATTACA", "gattaca").encode(),
    "BOM": b"\xef\xbb\xbf" + GOOD.encode(),
    "CRLF": GOOD.replace("\n", "\r\n").encode(),
    "quoted cells": GOOD.replace("GATTACAGAT", '"GATTACAGAT"').encode(),
    "blank lines": GOOD.replace("\n", "\n\n").encode(),
    "no last newline": GOOD.rstrip().encode(),
}


@pytest.mark.parametrize("name", SAME)
def test_data_that_look_odd_and_are_fine(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("my.tsv").write_bytes(SAME[name])
    assert main(["data", "check", *READ.split()]) == 0
    assert "splits      3 train, 2 valid, 2 test" in capsys.readouterr().out
    assert main(["data", "check", *CHECK.split()]) == 0
