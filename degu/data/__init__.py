"""Data sets: DNA as tokens, splits with measured targets, readers, and a simulated assay.

Nothing here imports Keras or TensorFlow.
"""

from degu.data.bed import read_bed
from degu.data.deepstarr import deepstarr
from degu.data.encoding import detokenize, one_hot, reverse_complement, tokenize, tokens_from_one_hot
from degu.data.fasta import read_fasta
from degu.data.hdf5 import read_hdf5
from degu.data.lac_promoter import lac_promoter
from degu.data.lentimpra import lentimpra, lentimpra_folds
from degu.data.motif_grammar import MotifGrammar
from degu.data.npz import read_npz
from degu.data.row_files import RowFile, RowWriter, TokenFile
from degu.data.saturation import measured_effects, saturation_mutagenesis
from degu.data.scaling import TargetScaler
from degu.data.split import Split
from degu.data.split_makers import AtRandom, ByBlocks, ByChromosome, BySimilarity, SplitMaker
from degu.data.splits import Splits
from degu.data.synthetic import synthetic
from degu.data.table import read_table

__all__ = [
    "AtRandom",
    "ByBlocks",
    "ByChromosome",
    "BySimilarity",
    "MotifGrammar",
    "RowFile",
    "RowWriter",
    "Split",
    "SplitMaker",
    "Splits",
    "TargetScaler",
    "TokenFile",
    "deepstarr",
    "detokenize",
    "lac_promoter",
    "lentimpra",
    "lentimpra_folds",
    "measured_effects",
    "one_hot",
    "read_bed",
    "read_fasta",
    "read_hdf5",
    "read_npz",
    "read_table",
    "reverse_complement",
    "saturation_mutagenesis",
    "synthetic",
    "tokenize",
    "tokens_from_one_hot",
]
