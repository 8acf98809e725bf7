import csv

import h5py
import matplotlib as mpl
import numpy as np
import pytest
from scipy.stats import pearsonr

from degu import attribution
from degu.attribution.logos import BASE_COLOURS
from degu.data.encoding import detokenize, one_hot
from degu.errors import DataError


@pytest.fixture
def maps():
    """Maps of four models, (4, 5, 12, 4)."""
    return np.random.default_rng(2).normal(size=(4, 5, 12, 4))


def test_consistency_is_that_of_its_definition(maps):
    reference = maps.mean(axis=0)
    found = attribution.consistency(maps, reference)
    for model in range(4):
        for row in range(5):
            mine, goal = maps[model, row].ravel(), reference[row].ravel()
            assert found.rmse[model, row] == pytest.approx(np.sqrt(np.mean((mine - goal) ** 2)))
            assert found.pearson[model, row] == pytest.approx(pearsonr(mine, goal).statistic)
            assert found.cosine[model, row] == pytest.approx(mine @ goal / np.sqrt(mine @ mine * (goal @ goal)))
    expected = [np.sqrt(sum(np.var(maps[:, row], axis=0, ddof=1).ravel())) for row in range(5)]
    np.testing.assert_allclose(found.spread, expected)


def test_a_single_model_has_no_spread_and_a_blank_map_no_direction(maps):
    maps[0, 1] = 0.0
    found = attribution.consistency(maps[:1], maps[1])
    assert found.spread is None
    assert (
        np.isnan(found.pearson[0]).tolist() == np.isnan(found.cosine[0]).tolist() == [False, True, False, False, False]
    )
    table = attribution.consistency_table({"one": maps[:1]}, maps[1])
    assert set(table) == {"rmse/one", "pearson/one", "cosine/one"}
    assert table["pearson/one"] == pytest.approx(np.nanmean(found.pearson))


def test_members_have_a_part_in_their_mean():
    generator = np.random.default_rng(0)
    truth, count = generator.normal(size=(300, 50, 4)), 3
    maps = truth + generator.normal(size=(count, 300, 50, 4))
    outsider = truth + generator.normal(size=(1, 300, 50, 4))
    groups = {"single": maps, "student": outsider}
    table = attribution.consistency_table(
        groups, maps.mean(axis=0), members="single", prefix="test/attribution/", target="Dev"
    )
    rmse = {key.split("/")[3]: value for key, value in table.items() if "/rmse/" in key}
    assert all(key.startswith("test/attribution/") and key.endswith("/Dev") for key in table)
    assert rmse["single"] / rmse["student"] == pytest.approx(np.sqrt((count - 1) / (count + 1)), rel=0.02)
    assert rmse["single_left_out"] == pytest.approx(np.sqrt(1 + 1 / (count - 1)), rel=0.02)
    assert table["test/attribution/spread/single/Dev"] == pytest.approx(np.sqrt(200), rel=0.02)
    assert 0 < rmse["single_sd"] < 0.05
    assert "test/attribution/spread/single_left_out/Dev" not in table


def test_consistency_of_maps_that_do_not_fit(maps):
    with pytest.raises(ValueError, match=r"Expected maps \(R, N, L, 4\)"):
        attribution.consistency(maps[0], maps[0])
    with pytest.raises(ValueError, match="at least 2 models. Received: 1"):
        attribution.means_of_others(maps[:1])


def test_references_are_shared_and_stored(tokens, tmp_path):
    references = attribution.dinucleotide_references(tokens, 8, seed=4)
    references.save(tmp_path / "references.npz")
    loaded = attribution.References.load(tmp_path / "references.npz")
    for one, other in ((references, loaded), (references, attribution.dinucleotide_references(one_hot(tokens), 8, 4))):
        np.testing.assert_array_equal(one.tokens, other.tokens)
        np.testing.assert_array_equal(one.shares, other.shares)
    loaded.check(tokens)
    loaded.check(one_hot(tokens))
    with pytest.raises(DataError, match="expected the 5 sequences of 12 letters that they were made for, received 4"):
        loaded.check(tokens[:4])
    assert (attribution.dinucleotide_references(tokens, 8, seed=5).tokens != references.tokens).any()
    np.testing.assert_array_equal(np.sort((references.shares * 8).astype(int)), np.tile(np.arange(8), (5, 1)))


def test_files_that_hold_no_references(tmp_path):
    np.savez(tmp_path / "other.npz", tokens=np.zeros(3))
    (tmp_path / "text.npz").write_text("no arrays")
    for name in ("other.npz", "text.npz"):
        with pytest.raises(DataError, match=f"{name}: expected references written by degu"):
            attribution.References.load(tmp_path / name)
    with pytest.raises(DataError, match="has none of this name"):
        attribution.References.load(tmp_path / "missing.npz")


def test_files_for_motif_discovery(tokens, maps, tmp_path):
    ids = [f"seq{row}" for row in range(5)]
    written = attribution.write_maps(tmp_path / "modisco", tokens, maps[0], ids)
    assert [path.name for path in written] == ["ohe.npz", "shap.npz", "attributions.h5", "sequences.fa"]
    ohe, shap = (np.load(path, allow_pickle=False)["arr_0"] for path in written[:2])
    assert ohe.shape == shap.shape == (5, 4, 12)
    np.testing.assert_array_equal(ohe.transpose(0, 2, 1), one_hot(tokens))
    np.testing.assert_allclose(shap.transpose(0, 2, 1), maps[0], rtol=1e-6)
    with h5py.File(written[2]) as file:
        np.testing.assert_array_equal(file["raw/seq"], ohe)
        np.testing.assert_array_equal(file["shap/seq"], shap)
        np.testing.assert_allclose(file["projected_shap/seq"], shap * ohe)
        assert file["ids"].asstr()[:].tolist() == ids
    lines = written[3].read_text().splitlines()
    assert lines == [
        line for pair in zip([f">{name}" for name in ids], detokenize(tokens), strict=True) for line in pair
    ]


def test_table_of_contributions(tokens, maps, tmp_path):
    spread = maps.std(axis=0)[..., 0]
    path = attribution.write_contributions(tmp_path / "a" / "b.tsv", tokens, maps[0], list("abcde"), spread)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert len(rows) == 60
    assert list(rows[0]) == ["id", "position", "letter", "contribution", "spread"]
    row = rows[12 + 7]
    assert (row["id"], row["position"], row["letter"]) == ("b", "7", detokenize(tokens)[1][7])
    assert float(row["contribution"]) == pytest.approx(maps[0, 1, 7, tokens[1, 7]], rel=1e-4)
    assert float(row["spread"]) == pytest.approx(spread[1, 7], rel=1e-4)
    assert (rows[48 + 3]["letter"], float(rows[48 + 3]["contribution"])) == ("N", 0.0)


def test_parts_that_do_not_fit_are_named(tokens, maps, tmp_path):
    ids = list("abcde")
    for arguments, message in (
        ((tokens, maps[0, :4], ids), r"maps: expected shape \(5, 12, 4\), received \(4, 12, 4\)"),
        ((tokens, maps[0], ids[:4]), "ids: expected 5, one per sequence, received 4"),
        ((tokens, maps[0], ["a b", *ids[1:]]), "expected names of one word, received 'a b'"),
    ):
        with pytest.raises(DataError, match=message):
            attribution.write_maps(tmp_path, *arguments)
    with pytest.raises(DataError, match=r"spread: expected shape \(5, 12\), received \(5,\)"):
        attribution.write_contributions(tmp_path / "x.tsv", tokens, maps[0], ids, np.zeros(5))


def test_letters_of_a_logo_stand_where_they_should(tmp_path):
    heights = np.zeros((6, 4))
    heights[0, 0], heights[2, 3], heights[5, 1] = 2.0, -1.0, 0.5
    figure = attribution.logo_figure(
        {"one": heights, "two": heights / 2}, {"members": np.arange(6.0)}, start=10, marked={"site": (11, 13)}
    )
    top, second, spread = figure.axes
    letters = {}
    for patch in top.patches:
        if isinstance(patch, mpl.patches.PathPatch):
            box = patch.get_path().get_extents(patch.get_transform() - top.transData)
            letters[round((box.x0 + box.x1) / 2)] = (box.y0, box.y1, mpl.colors.to_hex(patch.get_facecolor()).upper())
    assert letters[10] == (pytest.approx(0.0), pytest.approx(2.0), BASE_COLOURS["A"])
    assert letters[12] == (pytest.approx(-1.0), pytest.approx(0.0), BASE_COLOURS["T"])
    assert letters[15] == (pytest.approx(0.0), pytest.approx(0.5), BASE_COLOURS["C"])
    assert top.get_ylim() == second.get_ylim()
    assert spread.get_xlim() == (9.5, 15.5)
    assert spread.get_ylim()[1] == pytest.approx(5.5)
    figure.savefig(tmp_path / "logo.png")
    assert (tmp_path / "logo.png").stat().st_size > 1000


def test_a_logo_of_nothing_and_of_several_spreads():
    figure = attribution.logo_figure({"flat": np.zeros((3, 4))}, {"a": np.zeros(3), "b": np.ones(3)})
    assert [text.get_text() for text in figure.axes[-1].get_legend().get_texts()] == ["a", "b"]
    with pytest.raises(ValueError, match=r"Expected rows \(L, 4\) and spreads \(L,\)"):
        attribution.logo_figure({"one": np.zeros((3, 4))}, {"spread": np.zeros(4)})
    with pytest.raises(ValueError, match="at least one row"):
        attribution.logo_figure({})


def test_maps_written_in_parts_are_those_written_at_once(tokens, maps, tmp_path):
    ids = list("abcde")
    spread = maps.std(axis=0)[..., 0]
    attribution.write_maps(tmp_path / "whole", tokens, maps[0], ids)
    attribution.write_contributions(tmp_path / "whole" / "contributions.tsv", tokens, maps[0], ids, spread)
    with attribution.MapsWriter(tmp_path / "parts", 5, contributions=True) as writer:
        for part in (slice(0, 2), slice(2, 5)):
            writer.append(tokens[part], maps[0, part], ids[part], spread[part])
    for name in ("sequences.fa", "contributions.tsv"):
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    for name in ("ohe.npz", "shap.npz"):
        whole, parts = (np.load(tmp_path / folder / name)["arr_0"] for folder in ("whole", "parts"))
        np.testing.assert_array_equal(parts, whole)
    with h5py.File(tmp_path / "parts" / "attributions.h5") as file:
        np.testing.assert_array_equal(file["shap/seq"], maps[0].transpose(0, 2, 1).astype(np.float32))
        assert file["ids"].asstr()[:].tolist() == ids


def test_maps_that_are_not_all_written_leave_nothing(tokens, maps, tmp_path):
    with (
        pytest.raises(DataError, match="expected 6 sequences in all, received 5"),
        attribution.MapsWriter(tmp_path, 6) as writer,
    ):
        writer.append(tokens, maps[0], list("abcde"))
    with (
        pytest.raises(DataError, match="expected 4 sequences in all, received 5"),
        attribution.MapsWriter(tmp_path, 4) as writer,
    ):
        writer.append(tokens, maps[0], list("abcde"))
    assert list(tmp_path.iterdir()) == []
