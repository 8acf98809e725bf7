import gzip

import pytest

from degu.errors import DataError
from degu.variants import Variant, VariantTable, VcfFile

HEAD = "##fileformat=VCFv4.3\n##INFO=<ID=A,Description=\"a, 'b' and \\t c\">\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\n"


def plain(file):
    return [tuple(variant)[:4] for variant in file]


@pytest.mark.parametrize(
    ("name", "encoding", "pack"),
    [("a.vcf", "utf-8", None), ("a.vcf", "utf-8-sig", None), ("a.vcf.gz", "utf-8", gzip.compress)],
)
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_vcf_in_every_wrapping(write, name, encoding, pack, ending):
    text = HEAD + 'chr1\t5\trs1\ta\tG\t."\n\nchr2\t1\t.\tAAC\tA,ATT,<DEL>\t.\n'
    path = write(name, text.replace("\n", ending), encoding, pack)
    variants = list(VcfFile(path))
    assert plain(variants) == [
        ("chr1", 4, "A", "G"),
        ("chr2", 0, "AAC", "A"),
        ("chr2", 0, "AAC", "ATT"),
        ("chr2", 0, "AAC", "<DEL>"),
    ]
    assert [variant.is_symbolic for variant in variants] == [False, False, False, True]
    assert variants[0].cells == ("rs1", "chr1", "5", "a", "G")
    assert variants[2].cells == ("chr2:1:AAC>ATT", "chr2", "1", "AAC", "ATT")
    assert variants[1].where == f"{path}, line 6"
    assert plain(VcfFile(path)) == plain(variants)


@pytest.mark.parametrize("alt", ["<DEL>", "*", ".", "]chr1:5]A", "A[chr2:9[", "<NON_REF>"])
def test_alleles_that_are_not_spelled_out(alt):
    assert Variant("chr1", 0, "A", alt).is_symbolic
    assert not Variant("chr1", 0, "A", "AC").is_symbolic


def test_rows_that_are_not_vcf(write):
    with pytest.raises(DataError, match=r"a.vcf, line 1: expected tab-separated CHROM, POS, .* received 1 field"):
        list(VcfFile(write("a.vcf", "chr1 5 . A G\n")))
    with pytest.raises(DataError, match=r"line 1, POS: expected a whole number, received '5.0'"):
        list(VcfFile(write("a.vcf", "chr1\t5.0\t.\tA\tG\n")))


def test_table_of_spelled_sequences(write):
    path = write(
        "v.csv", "ref,sequence,alt,position,name\r\nC,acgt,T,1,x\r\n-,ACGT,GG,4,y\r\nGT,ACGT,,2,z\r\n", "utf-8-sig"
    )
    file = VariantTable(path, id="name")
    assert plain(file) == [("acgt", 1, "C", "T"), ("ACGT", 4, "", "GG"), ("ACGT", 2, "GT", "")]
    assert file.header == ("id", "position", "ref", "alt")
    assert [variant.cells for variant in file][1] == ("y", "4", "-", "GG")
    assert [variant.cells[0] for variant in VariantTable(path)] == ["row2", "row3", "row4"]


def test_table_of_named_sequences_counted_from_one(write):
    path = write("v.tsv.gz", "chrom\tposition\tref\talt\nchr1\t1\tA\tC\n", pack=gzip.compress)
    file = VariantTable(path, is_named=True, sequence="chrom", is_one_based=True)
    assert plain(file) == [("chr1", 0, "A", "C")]
    assert file.header == ("id", "sequence", "position", "ref", "alt")
    assert next(iter(file)).cells == ("row2", "chr1", "1", "A", "C")


@pytest.mark.parametrize("position", ["", "1.5", "1_0", "x", "--1"])
def test_a_position_that_is_no_number(write, position):
    path = write("v.tsv", f"sequence\tposition\tref\talt\nACGT\t{position}\tA\tC\n")
    with pytest.raises(DataError, match=r"v.tsv, line 2, column 'position': expected a whole number"):
        list(VariantTable(path))


def test_a_column_that_is_not_there(write):
    path = write("v.tsv", "sequence\tpos\tref\talt\nACGT\t1\tA\tC\n")
    with pytest.raises(DataError, match="expected a column 'position'"):
        list(VariantTable(path))
    assert plain(VariantTable(path, position="pos")) == [("ACGT", 1, "A", "C")]


@pytest.mark.parametrize(
    ("start", "ref", "alt", "expected"),
    [
        (5, "A", "G", (5, "A", "G")),
        (5, "ACG", "ATG", (6, "C", "T")),
        (5, "CTT", "CT", (6, "T", "")),
        (5, "A", "ATT", (6, "", "TT")),
        (5, "A", "A", (5, "", "")),
        (5, "GAC", "GC", (6, "A", "")),
        (5, "AC", "GT", (5, "AC", "GT")),
    ],
)
def test_alleles_are_trimmed_to_what_differs(start, ref, alt, expected):
    assert Variant("s", start, ref, alt).trimmed()[1:4] == expected


def test_letters_of_alleles_are_checked():
    Variant("s", 0, "ACGTN", "").check_letters()
    with pytest.raises(
        DataError, match="here: expected the alternative allele in letters A, C, G, T and N, received 'AR'"
    ):
        Variant("s", 0, "A", "AR", "here").check_letters()
    with pytest.raises(DataError, match="expected the reference allele in letters"):
        Variant("s", 0, "U", "A", "here").check_letters()
