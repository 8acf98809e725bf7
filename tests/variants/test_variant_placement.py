import os

import pytest

from degu.errors import DataError
from degu.variants import Genome, Spelled, Variant, windows

SEQUENCE = "AAACCCGGGTTTACGTACGT"


def placed(start, ref, alt, length, sequence=SEQUENCE):
    return windows(Variant(sequence, start, ref, alt), Spelled(), length)


@pytest.mark.parametrize(
    ("start", "ref", "alt", "length", "expected"),
    [
        # one letter: index (L - 1) // 2
        (9, "T", "A", 5, ("GGTTT", "GGATT")),
        (9, "T", "A", 6, ("GGTTTA", "GGATTA")),
        # two letters replaced by two
        (9, "TT", "AC", 6, ("GGTTTA", "GGACTA")),
        # deletion of two: both sides move in by one
        (9, "TT", "", 6, ("GGTTTA", "GGGTAC")),
        # the same deletion as a VCF file has it
        (8, "GTT", "G", 6, ("GGTTTA", "GGGTAC")),
        # deletion of one: the left side moves in
        (9, "T", "", 6, ("GGTTTA", "GGGTTA")),
        # insertion of two between positions 8 and 9
        (9, "", "AC", 6, ("GGGTTT", "GGACTT")),
        # insertion of three
        (9, "", "CAC", 6, ("GGGTTT", "GCACTT")),
        # near the ends the window stays inside
        (0, "A", "C", 6, ("AAACCC", "CAACCC")),
        (1, "A", "", 6, ("AAACCC", "AACCCG")),
        (19, "T", "G", 6, ("GTACGT", "GTACGG")),
        (20, "", "GG", 6, ("GTACGT", "ACGTGG")),
        # an allele as long as the window
        (9, "", "CACACA", 6, ("GGGTTT", "CACACA")),
    ],
)
def test_windows_by_hand(start, ref, alt, length, expected):
    assert placed(start, ref, alt, length) == expected


def test_a_sequence_as_long_as_the_window_is_its_window():
    assert placed(2, "A", "G", 20) == (SEQUENCE, SEQUENCE[:2] + "G" + SEQUENCE[3:])
    assert placed(2, "", "G", 20) == (SEQUENCE, SEQUENCE[:2] + "G" + SEQUENCE[2:19])
    assert placed(17, "", "G", 20) == (SEQUENCE, SEQUENCE[1:17] + "G" + SEQUENCE[17:])
    shorter = SEQUENCE[:5] + SEQUENCE[8:]
    assert placed(5, "CGG", "", 20) == (SEQUENCE, f"N{shorter}NN")


def test_the_place_in_a_published_window():
    sequence = "A" * 1000 + "C" + "A" * 1000
    ref, alt = placed(1000, "C", "G", 230, sequence)
    assert (len(ref), ref.index("C"), alt.index("G")) == (230, 114, 114)


def test_swapping_alleles_swaps_windows():
    for start, ref, alt in ((3, "CCC", "T"), (9, "T", "AGA"), (18, "GT", "")):
        changed = SEQUENCE[:start] + alt + SEQUENCE[start + len(ref) :]
        forward = placed(start, ref, alt, 9)
        assert placed(start, alt, ref, 9, changed) == forward[::-1]


@pytest.mark.parametrize("length", [5, 6, 20])
def test_every_window_has_the_length(length):
    for start in range(20):
        for stop in range(start, min(start + 5, 20)):
            for alt in ("", "A", "ACGTA"):
                assert {len(text) for text in placed(start, SEQUENCE[start:stop], alt, length)} == {length}


def test_what_does_not_fit_is_named():
    with pytest.raises(
        DataError, match=r"row, position 3 \(counted from 0\): expected the reference allele 'C' .* 'A'"
    ):
        windows(Variant(SEQUENCE, 3, "A", "G", "row"), Spelled(), 6)
    for start, ref in ((20, "A"), (19, "TA"), (-1, "A"), (21, "")):
        with pytest.raises(DataError, match=r"row: expected a reference allele within positions 0 to 20"):
            windows(Variant(SEQUENCE, start, ref, "G", "row"), Spelled(), 6)
    with pytest.raises(DataError, match="row: expected a sequence of at least 21 letters, .* received 20"):
        windows(Variant(SEQUENCE, 0, "A", "G", "row"), Spelled(), 21)


def test_genome_is_read_in_pieces(genome_file):
    with Genome(genome_file) as genome:
        assert (genome.length("chr1", "x"), genome.length("chr2", "x")) == (30, 12)
        assert genome.letters("chr1", 8, 22) == "ACGGTTAACCNTTT"
        assert genome.letters("chr2", 12, 12) == genome.letters("chr2", 3, 3) == ""
        assert windows(Variant("chr1", 10, "G", "T"), genome, 5) == ("ACGGT", "ACTGT")
        with pytest.raises(
            DataError, match=r"row 3: expected the name of a sequence in .*genome.fa, received '1'. Did you mean 'chr1'"
        ):
            genome.length("1", "row 3")
    assert (genome_file.parent / "genome.fa.fai").is_file()
    assert sorted(path.name for path in genome_file.parent.iterdir()) == ["genome.fa", "genome.fa.fai"]


def test_index_follows_the_file(genome_file):
    with Genome(genome_file):
        pass
    genome_file.write_text(">chr1\r\nTTTTT\r\nTTTTT\r\nAA\r\n", newline="")
    os.utime(genome_file.with_name("genome.fa.fai"), (0, 0))
    with Genome(genome_file) as genome:
        assert genome.letters("chr1", 4, 12) == "TTTTTTAA"


def test_index_of_a_folder_that_cannot_be_written(genome_file, monkeypatch):
    from degu.data import genome as sources

    built = []
    original = sources._build_index

    def refuse_beside(path, folder):
        if folder.parent == path.parent:
            raise PermissionError
        built.append(folder)
        return original(path, folder)

    monkeypatch.setattr(sources, "_build_index", refuse_beside)
    with Genome(genome_file) as genome:
        assert genome.letters("chr2", 0, 4) == "AAAA"
        assert built[0].is_dir()
    assert not built[0].exists()
    assert [path.name for path in genome_file.parent.iterdir()] == ["genome.fa"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.fa", "ACGT\n", "expected a FASTA file with a valid index, received: Unexpected text"),
        ("a.fa", ">a\nACGT\n>a\nACGT\n", "Duplicate key"),
        ("a.fa", ">a\nACGT\nAC\nACGT\n", "Line length of fasta file is not consistent"),
        ("a.fa", "", "expected a FASTA file with a valid index"),
        ("a.fa.gz", "x", "expected an uncompressed FASTA file, received .gz. Unpack it"),
    ],
)
def test_files_that_are_no_fasta(write, name, text, message):
    with pytest.raises(DataError, match=message):
        Genome(write(name, text))
