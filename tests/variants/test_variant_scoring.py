import csv
import gzip
from functools import partial

import numpy as np
import pytest

from degu import Distiller, EnsemblerBase, variants
from degu.data.encoding import detokenize, tokenize
from degu.errors import DataError
from degu.uncertainty import logvar
from degu.variants import Genome, Scorer, Spelled, Variant, VariantTable, effect_columns, score_variants, windows

LENGTH = 11
NAMES = ["Dev", "Hk"]


def rows_of(path, delimiter="\t"):
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return list(csv.DictReader(content.decode().splitlines(), delimiter=delimiter))


def expected_effect(model, ref, alt):
    """Members' effects (M, K) of two strings, from the numbers of the additive model."""
    ref, alt = tokenize([ref])[0], tokenize([alt])[0]
    places = np.arange(LENGTH)
    return (model.weights[:, places, alt] - model.weights[:, places, ref]).sum(axis=1)


@pytest.fixture
def vcf(write):
    rows = [
        "chr1\t11\trs1\tg\tA,T",
        "chr1\t15\t.\tAAC\tA",
        "chr1\t30\t.\tG\tGTT",
        "chr2\t6\t.\tC\t<DEL>,*",
        "chr2\t6\t.\tC\tC",
    ]
    return write(
        "v.vcf", "##fileformat=VCFv4.3\n#CHROM\tPOS\tID\tREF\tALT\n" + "\n".join(rows) + "\nchr1\t11\trs1\tG\tA\n"
    )


def test_effects_are_exactly_those_of_an_additive_model(additive, vcf, genome_file, tmp_path, caplog):
    scorer = Scorer(additive, LENGTH, limit=[0.0, 100.0])
    output = tmp_path / "out" / "effects.tsv"
    summary = score_variants(scorer, vcf, output, NAMES, genome_file)
    assert summary == (output, 6, {"alternative allele not spelled out": 2}, 1)
    assert "Left out 2 variant(s): alternative allele not spelled out" in caplog.text
    assert "1 variant(s) occur more than once" in caplog.text
    rows = rows_of(output)
    assert [row["id"] for row in rows] == ["rs1", "rs1", "chr1:15:AAC>A", "chr1:30:G>GTT", "chr2:6:C>C", "rs1"]
    assert list(rows[0])[:11] == [
        *("id", "sequence", "position", "ref", "alt"),
        *("Dev_ref", "Dev_alt", "Dev_effect", "Dev_std", "Dev_lower", "Dev_upper"),
    ]
    windows_of = {
        "chr1:15:AAC>A": ("GTTAACCNTTT", "GGTTACNTTTT"),
        "chr1:30:G>GTT": ("TTTTTCCCCGG", "TTTCCCCGGTT"),
    }
    for row in rows:
        if row["id"] in windows_of:
            effects = expected_effect(additive, *windows_of[row["id"]])
            for number, name in enumerate(NAMES):
                assert float(row[f"{name}_effect"]) == pytest.approx(effects[:, number].mean(), rel=1e-4)
                assert float(row[f"{name}_std"]) == pytest.approx(effects[:, number].std(ddof=1), rel=1e-4)
    single = additive.weights[:, 5, 0] - additive.weights[:, 5, 2]
    assert float(rows[0]["Hk_effect"]) == pytest.approx(single[:, 1].mean(), rel=1e-4)
    assert (rows[4]["Dev_effect"], rows[4]["Dev_std"]) == ("0", "0")
    assert {row["Dev_out_of_range"] for row in rows} == {"true"}
    assert {row["Hk_out_of_range"] for row in rows} == {"false"}
    assert rows[5] == {**rows[0], "ref": "G"}


def test_windows_of_the_exact_test_are_those_of_the_genome(genome_file):
    with Genome(genome_file) as genome:
        assert windows(Variant("chr1", 14, "AAC", "A"), genome, LENGTH) == ("GTTAACCNTTT", "GGTTACNTTTT")
        assert windows(Variant("chr1", 29, "G", "GTT"), genome, LENGTH) == ("TTTTTCCCCGG", "TTTCCCCGGTT")


def test_swapped_alleles_have_the_opposite_effect(additive):
    sequence = "ACGTTGCATGCATCGAT"
    scorer = Scorer(additive, LENGTH)
    for start, ref, alt in ((8, "T", "G"), (8, "TGC", ""), (3, "", "ACA")):
        changed = sequence[:start] + alt + sequence[start + len(ref) :]
        pair = [Variant(sequence, start, ref, alt)], [Variant(changed, start, alt, ref)]
        (_, forward), (_, back) = (next(scorer.stream(variant, Spelled())) for variant in pair)
        np.testing.assert_allclose(forward.effect, -back.effect)
        np.testing.assert_allclose(forward.std, back.std)
        np.testing.assert_allclose(forward.lower, -back.upper)


def test_chunks_change_nothing_and_equal_sequences_are_predicted_once(additive, write, tmp_path):
    sequence = "ACGTTGCATGC"
    rows = [f"{sequence}\t{place}\t{sequence[place]}\t{alt}" for place in range(LENGTH) for alt in "ACGT"]
    path = write("v.tsv", "\n".join(["sequence\tposition\tref\talt", *rows]))
    tables = []
    for size in (1, 7, 4096):
        additive.calls.clear()
        score_variants(Scorer(additive, LENGTH, chunk_size=size), path, tmp_path / "e.tsv", NAMES)
        tables.append((tmp_path / "e.tsv").read_bytes())
    assert tables[0] == tables[1] == tables[2]
    # 33 substitutions and the sequence itself
    assert additive.calls == [34]
    assert list(rows_of(tmp_path / "e.tsv")[0])[:4] == ["id", "position", "ref", "alt"]


def test_both_strands(additive):
    scorer = Scorer(additive, LENGTH, is_both_strands=True)
    _, effects = next(scorer.stream([Variant("ACGTTGCATGC", 2, "G", "T")], Spelled()))
    there = additive.weights[:, 2, 3] - additive.weights[:, 2, 2]
    back = additive.weights[:, 8, 0] - additive.weights[:, 8, 1]
    np.testing.assert_allclose(effects.effect[0], (there + back).mean(axis=0) / 2)
    np.testing.assert_allclose(effects.std[0], ((there + back) / 2).std(axis=0, ddof=1))


def test_an_ensemble_and_its_student(conv_net, splits, shift, write, tmp_path):
    ensembler = EnsemblerBase(conv_net())
    ensembler.train(splits.train.tokens, splits.train.targets, 3, shift, save_prefix=tmp_path / "m")
    letters = detokenize(splits.test.tokens[:2])
    rows = [f"{text}\t{place}\t{text[place : place + 2]}\tT" for text in letters for place in (0, 17, 38)]
    path = write("v.tsv.gz", "\n".join(["sequence\tposition\tref\talt", *rows]), pack=gzip.compress)
    limit = variants.range_limit(ensembler.predict(splits.valid.tokens).epistemic)
    scorer = Scorer(ensembler.predict, 40, limit=limit)
    score_variants(scorer, path, tmp_path / "e.csv", splits.target_names)
    rows = rows_of(tmp_path / "e.csv", ",")
    pair = windows(Variant(letters[1], 17, letters[1][17:19], "T"), Spelled(), 40)
    ref, alt = (ensembler.predict(tokenize([text])).members for text in pair)
    assert float(rows[4]["activity_1_effect"]) == pytest.approx((alt - ref).mean(axis=0)[0, 1], abs=1e-4)
    assert float(rows[4]["activity_1_std"]) == pytest.approx((alt - ref).std(axis=0, ddof=1)[0, 1], abs=1e-4)

    distiller, student = Distiller(ensembler), conv_net(4)()
    scorer = Scorer(partial(distiller.predict_student, student_model=student), 40, bound=logvar)
    score_variants(scorer, path, tmp_path / "s.tsv.gz", splits.target_names)
    answers = rows_of(tmp_path / "s.tsv.gz")
    ref, alt = (distiller.predict_student(tokenize([text]), student) for text in pair)
    assert float(answers[4]["activity_0_effect"]) == pytest.approx((alt.mean - ref.mean)[0, 0], abs=1e-4)
    assert float(answers[4]["activity_0_std"]) == pytest.approx(
        (np.exp(ref.epistemic / 2) + np.exp(alt.epistemic / 2))[0, 0], rel=1e-3
    )
    unsure = Scorer(partial(distiller.predict_student, student_model=student), 40)
    score_variants(unsure, path, tmp_path / "n.tsv", splits.target_names)
    assert {row["activity_0_std"] for row in rows_of(tmp_path / "n.tsv")} == {"NA"}


def test_everything_is_checked_before_anything_is_predicted(additive, write, genome_file, tmp_path):
    path = write("v.vcf", "chr1\t11\t.\tG\tA\nchr1\t12\t.\tA\tG\n")
    with pytest.raises(DataError, match=r"v.vcf, line 2, position 11 .*: expected the reference allele 'G' .* 'A'"):
        score_variants(Scorer(additive, LENGTH), path, tmp_path / "e.tsv", NAMES, genome_file)
    assert not additive.calls
    assert not (tmp_path / "e.tsv").exists()


def test_a_table_appears_whole_or_not_at_all(vcf, genome_file, tmp_path):
    output = tmp_path / "e.tsv"
    output.write_text("old")

    def fail(tokens):
        raise RuntimeError("no device")

    with pytest.raises(RuntimeError, match="no device"):
        score_variants(Scorer(fail, LENGTH), vcf, output, NAMES, genome_file)
    assert output.read_text() == "old"
    assert not list(tmp_path.glob(".e.tsv*"))


def test_equal_tables_are_equal_files(additive, vcf, genome_file, tmp_path):
    for name in ("a.tsv.gz", "b.tsv.gz"):
        score_variants(Scorer(additive, LENGTH), vcf, tmp_path / name, NAMES, genome_file)
    assert (tmp_path / "a.tsv.gz").read_bytes() == (tmp_path / "b.tsv.gz").read_bytes()


def test_files_that_cannot_be_scored(additive, write, vcf, genome_file, tmp_path):
    scorer, output = Scorer(additive, LENGTH), tmp_path / "e.tsv"
    with pytest.raises(DataError, match="expected a FASTA file with the sequences of a VCF file"):
        score_variants(scorer, vcf, output, NAMES)
    with pytest.raises(DataError, match=r"expected a name that ends in .tsv or .csv"):
        score_variants(scorer, vcf, tmp_path / "e.parquet", NAMES, genome_file)
    with pytest.raises(DataError, match=r"received none \(left out: {'alternative allele not spelled out': 1}\)"):
        score_variants(scorer, write("s.vcf", "chr1\t11\t.\tG\t<DUP>\n"), output, NAMES, genome_file)
    with pytest.raises(ValueError, match=r"Expected 2 target names. Received: \['Dev'\]"):
        score_variants(scorer, vcf, output, ["Dev"], genome_file)
    long = write("l.tsv", f"sequence\tposition\tref\talt\n{'A' * 20}\t3\tA\t{'C' * 12}\n{'A' * 20}\t3\tA\tC\n")
    assert score_variants(scorer, long, output, NAMES).skipped == {"allele longer than the window of 11": 1}


def test_a_table_with_columns_of_its_own(additive, write, genome_file, tmp_path):
    path = write("v.tsv", "chrom\tpos\tfrom\tto\nchr2\t6\tC\tG\n")
    file = VariantTable(path, True, "chrom", "pos", "from", "to", is_one_based=True)
    summary = score_variants(Scorer(additive, LENGTH), file, tmp_path / "e.tsv", NAMES, genome_file)
    assert summary.scored == 1
    assert rows_of(tmp_path / "e.tsv")[0]["sequence"] == "chr2"


def test_columns_are_ready_for_a_data_frame(additive):
    import pandas as pd

    _, effects = next(Scorer(additive, LENGTH).stream([Variant("ACGTTGCATGC", 2, "G", "T")] * 3, Spelled()))
    frame = pd.DataFrame(effect_columns(effects, NAMES))
    assert frame.shape == (3, 12)
    assert frame["Hk_effect"].iloc[0] == effects.effect[0, 1]


def test_the_module_says_what_it_has():
    assert all(hasattr(variants, name) for name in variants.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'scorer'"):
        _ = variants.scorer
