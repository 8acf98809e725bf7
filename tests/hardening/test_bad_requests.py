"""Requests to a trained study that cannot be met: exit status 2, one message that helps, nothing half-written."""

import gzip
import json
import subprocess
import sys

import h5py
import pytest
import yaml

from degu.cli import main

GOOD = "ACGT" * 10


def write(content):
    """Return a function that writes a file."""
    return lambda path: path.write_bytes(content if isinstance(content, bytes) else content.encode())


def cut_gzip(path):
    path.write_bytes(gzip.compress(f">a\n{GOOD}\n>b\n{GOOD}\n".encode() * 500)[:60])


def genome(path):
    path.with_name("genome.fa").write_text(f">chr1\n{GOOD}{GOOD}\n")


def bed(text):
    def make(path):
        genome(path)
        path.write_text(text)

    return make


ON_GENOME = ["--genome", "genome.fa"]
FILES = {
    "too short": (
        "x.fa",
        write(f">a\n{GOOD}\n>b\nACGT\n"),
        [],
        "record 'b' of line 3: .* 40 .* received 4. Extend",
    ),
    "too long": ("x.fa", write(f">a\n{GOOD}A\n"), [], "record 'a' of line 1: expected 40 .* received 41. .* --window"),
    "letter": ("x.fa", write(f">a\n{GOOD[:-1]}J\n"), [], "record 'a' of line 1, position 39 .* received 'J'"),
    "U": ("x.csv", write(f"sequence\n{GOOD[:-1]}U\n"), [], "x.csv, line 2, position 39 .* Write T for U"),
    "IUPAC": ("x.tsv", write(f"sequence\n{GOOD[:-1]}R\n"), [], "line 2, position 39 .* received 'R'. .* N"),
    "no column": ("x.tsv", write(f"seq\tid\n{GOOD}\ta\n"), [], "line 1: expected a column 'sequence'.*Did you .*'seq'"),
    "no id column": ("x.tsv", write(f"sequence\n{GOOD}\n"), ["--id", "name"], "line 1: expected a column 'name'"),
    "ragged row": ("x.tsv", write(f"sequence\tid\n{GOOD}\n"), [], "line 2: expected 2 fields .* received 1. Mend"),
    "empty file": ("x.fa", write(""), [], "x.fa: .*empty file"),
    "no records": ("x.tsv", write("sequence\n"), [], "x.tsv: expected sequences, received none"),
    "no header": ("x.fa", write(f"{GOOD}\n"), [], "line 1: expected '>' and a name"),
    "no name": ("x.fa", write(f">\n{GOOD}\n"), [], "line 1: expected a name behind '>'"),
    "cut gzip": ("x.fa.gz", cut_gzip, [], "x.fa.gz, after line .*cut short. Copy the file again"),
    "no gzip": ("x.fa.gz", write(f">a\n{GOOD}\n"), [], "expected gzip data as the name says"),
    "binary": ("x.fa", write(b">a\n\xff\xfe\x00\n"), [], "x.fa.* UTF-8"),
    "no parquet": ("x.parquet", write("PAR1"), [], "x.parquet: expected a Parquet file"),
    "ending": ("x.txt", write(GOOD), [], "a name that ends in .fa, .* received '.txt'"),
    "bed without genome": ("x.bed", bed("chr1\t0\t40\n"), [], "--genome FASTA"),
    "genome without bed": ("x.fa", bed(f">a\n{GOOD}\n"), ON_GENOME, "expected a .bed file"),
    "bed past the end": ("x.bed", bed("chr1\t41\t81\n"), ON_GENOME, "line 1: .* 80 bases, .* 41 to 81"),
    "bed elsewhere": (
        "x.bed",
        bed("1\t0\t40\n"),
        ON_GENOME,
        "line 1: .* received '1'. Did you mean 'chr1'",
    ),
    "bed backwards": (
        "x.bed",
        bed("chr1\t40\t0\n"),
        ON_GENOME,
        "line 1: expected an end behind the start",
    ),
    "bed of words": ("x.bed", bed("chr1\ta\tb\n"), ON_GENOME, "line 1, start: .* received 'a'"),
    "bed by spaces": ("x.bed", bed("chr1 0 40\n"), ON_GENOME, "line 1: expected tab-separated"),
    "bed of a width": ("x.bed", bed("chr1\t0\t39\n"), ON_GENOME, "line 1: expected 40 letters"),
    "level": ("x.fa", write(f">a\n{GOOD}\n"), ["--level", "0.925"], "whole percents .* Received: 0.925"),
    "stride": ("x.fa", write(f">a\n{GOOD}\n"), ["--window", "--stride", "41"], "a stride from 1 to 40"),
    "average": ("x.fa", write(f">a\n{GOOD}\n"), ["--average"], "Expected --window with --stride or --average"),
    "output name": ("x.fa", write(f">a\n{GOOD}\n"), ["-o", "out.xlsx"], r"out.xlsx: .* \.tsv, \.csv"),
    "output below a file": ("x.fa", write(f">a\n{GOOD}\n"), ["-o", "x.fa/out.tsv"], "x.fa, which is a file"),
    "output of a kernel": (
        "x.fa",
        write(f">a\n{GOOD}\n"),
        ["-o", "/proc/out.tsv"],
        "/proc/out.tsv: expected",
    ),
}


@pytest.mark.parametrize("case", FILES)
def test_sequences_that_cannot_be_predicted(refused, place, finished_study, case):
    name, make, arguments, message = FILES[case]
    make(place / name)
    refused("predict", finished_study, name, "--device", "cpu", *arguments, message=message)


def test_an_existing_table_is_kept_unless_it_may_be_replaced(refused, place, finished_study, capfd):
    (place / "x.fa").write_text(f">a\n{GOOD}\n")
    (place / "out.tsv").write_text("mine\n")
    command = ["predict", str(finished_study), "x.fa", "-o", "out.tsv", "--device", "cpu"]
    refused(*command, message="out.tsv: expected no such file, .* use --overwrite")
    assert main([*command, "--overwrite"]) == 0
    assert "\na\t" in (place / "out.tsv").read_text()


FULL_DISK = """
import resource, sys
import numpy as np
from degu.errors import DataError
from degu.inference.tables import check_table, table_writer

resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
try:
    with table_writer(check_table(sys.argv[1])) as write:
        for part in range(20):
            write({"id": [f"s{row}" for row in range(1000)], "value": np.random.default_rng(part).random(1000)})
except DataError as error:
    print(error)
"""


@pytest.mark.parametrize("name", ["out.tsv", "out.tsv.gz", "out.parquet"])
def test_a_table_that_does_not_fit_on_the_disk_leaves_nothing(place, name):
    # in a process of its own: the limit would cut off the log of the tests too
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", FULL_DISK, name], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert f"{name}: expected to write it, received:" in done.stdout
    assert "File too large" in done.stdout
    assert list(place.iterdir()) == []


def no_weights(folder):
    (folder / "weights" / "member_1.weights.h5").unlink()


def short_weights(folder):
    path = folder / "weights" / "member_0.weights.h5"
    path.write_bytes(path.read_bytes()[:1000])


def other_architecture(folder):
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["model"]["filters"] = [7]
    (folder / "config.yaml").write_text(yaml.safe_dump(config))


def foreign_code(folder):
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["model"]["_target_"] = "os.system"
    (folder / "config.yaml").write_text(yaml.safe_dump(config))


def no_units(folder):
    with h5py.File(folder / "weights" / "member_0.weights.h5", "w"):
        pass


def edited(name, change):
    def edit(folder):
        values = json.loads((folder / name).read_text())
        change(values)
        (folder / name).write_text(json.dumps(values))

    return edit


STUDIES = {
    "missing weights": (no_weights, "member_1.weights.h5: expected a file of a finished study"),
    "weights cut short": (short_weights, "member_0.weights.h5"),
    "weights of nothing": (no_units, "member_0.weights.h5"),
    "weights of another architecture": (other_architecture, "member_0.weights.h5"),
    "foreign code": (foreign_code, "config.yaml|os.system"),
    "results are no JSON": (lambda folder: (folder / "results.json").write_text("{"), "results.json: expected JSON"),
    "results without targets": (
        edited("results.json", lambda values: values.pop("targets")),
        "results.json: .*targets",
    ),
    "results of words": (edited("results.json", lambda values: values.update(members="two")), "results.json"),
    "results are a list": (lambda folder: (folder / "results.json").write_text("[1]"), "results.json"),
    "config is no YAML": (lambda folder: (folder / "config.yaml").write_text("a: [1"), "config"),
    "config of nothing": (lambda folder: (folder / "config.yaml").write_text("{}"), "config"),
    "calibration of something": (lambda folder: (folder / "calibration.json").write_text("{}"), "calibration.json: "),
}


@pytest.mark.parametrize("case", STUDIES)
def test_studies_that_cannot_predict(refused, place, damaged, case):
    damage, message = STUDIES[case]
    damage(damaged())
    (place / "x.fa").write_text(f">a\n{GOOD}\n")
    refused("predict", "study", "x.fa", "--device", "cpu", message=message)


def test_a_study_that_is_none(refused, place):
    (place / "x.fa").write_text(f">a\n{GOOD}\n")
    refused("predict", "x.fa", "x.fa", message="x.fa: expected the output folder of a study")


def test_a_study_without_calibration_says_so(place, damaged, capfd, caplog):
    (damaged() / "calibration.json").unlink()
    (place / "x.fa").write_text(f">a\n{GOOD}\n")
    assert main(["predict", "study", "x.fa", "--device", "cpu"]) == 0
    out, _ = capfd.readouterr()
    assert json.loads(out)["methods"] == {"activity_0": "gaussian", "activity_1": "gaussian"}
    assert "study has no calibration.json: intervals are those of the models, not calibrated" in caplog.text
    assert main(["predict", "study", "x.fa", "--device", "cpu", "--overwrite", "--method", "conformal_absolute"]) == 2
    assert "Expected a study with calibration.json" in capfd.readouterr().err


VCF = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\n"
VARIANTS = {
    "reference": (
        "v.vcf",
        VCF + "chr1\t5\t.\tC\tT\n",
        "line 3, position 4 .* allele 'A' .* received 'C'",
    ),
    "chromosome": ("v.vcf", VCF + "chr7\t5\t.\tA\tT\n", "v.vcf, line 3: .* received 'chr7'"),
    "position 0": ("v.vcf", VCF + "chr1\t0\t.\tA\tT\n", "v.vcf, line 3"),
    "past the end": ("v.vcf", VCF + "chr1\t81\t.\tA\tT\n", "v.vcf, line 3"),
    "position of words": ("v.vcf", VCF + "chr1\tfive\t.\tA\tT\n", "v.vcf, line 3, POS: .* received 'five'"),
    "letters": ("v.vcf", VCF + "chr1\t5\t.\tA\tJ\n", "v.vcf, line 3: .*'J'"),
    "too few columns": ("v.vcf", VCF + "chr1\t5\tA\n", "line 3: expected tab-separated CHROM, POS"),
    "symbolic alone": ("v.vcf", VCF + "chr1\t5\t.\tA\t<DEL>\n", "expected variants that can be scored, received none"),
    "nothing": ("v.vcf", VCF, "received none"),
    "no such column": ("v.tsv", "seq\tposition\tref\talt\n", "line 1: expected a column 'sequence'"),
}


@pytest.mark.parametrize("case", VARIANTS)
def test_variants_that_cannot_be_scored(refused, place, finished_study, case):
    name, text, message = VARIANTS[case]
    genome(place / name)
    (place / name).write_text(text)
    refused("variants", finished_study, name, "--fasta", "genome.fa", "--device", "cpu", message=message)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["v.vcf"], "expected a FASTA file"),
        (["v.vcf", "--fasta", "none.fa"], "none.fa: expected a file"),
        (["v.vcf", "--fasta", "empty.fa"], "empty.fa"),
        (["v.vcf", "--fasta", "packed.fa.gz"], "packed.fa.gz: expected an uncompressed FASTA file"),
        (["none.vcf", "--fasta", "genome.fa"], "none.vcf: expected a file"),
        (["v.vcf", "--fasta", "genome.fa", "-o", "out.txt"], "out.txt: expected a name that ends in .tsv or .csv"),
    ],
)
def test_variants_without_what_they_need(refused, place, finished_study, arguments, message):
    genome(place / "v.vcf")
    (place / "v.vcf").write_text(VCF + "chr1\t5\t.\tA\tT\n")
    (place / "empty.fa").write_text("")
    (place / "packed.fa.gz").write_bytes(gzip.compress(b">chr1\nACGT\n"))
    refused("variants", finished_study, *arguments, "--device", "cpu", message=message)


def test_several_alternatives_of_one_row_are_scored_one_by_one(place, finished_study, capfd):
    genome(place / "v.vcf")
    (place / "v.vcf").write_text(VCF + "chr1\t5\trs1\tA\tC,T,<DEL>\n")
    assert main(["variants", str(finished_study), "v.vcf", "--fasta", "genome.fa", "--device", "cpu"]) == 0
    out, _ = capfd.readouterr()
    summary = json.loads(out)
    assert (summary["scored"], summary["skipped"]) == (2, {"alternative allele not spelled out": 1})
