"""Data sets: DNA as tokens, splits with measured targets, readers, and a simulated assay.

Nothing here imports Keras or TensorFlow.
"""

from degu.data.encoding import detokenize, one_hot, reverse_complement, tokenize, tokens_from_one_hot
from degu.data.lac_promoter import lac_promoter
from degu.data.motif_grammar import MotifGrammar
from degu.data.row_files import RowFile, RowWriter, TokenFile
from degu.data.scaling import TargetScaler
from degu.data.split import Split
from degu.data.splits import Splits
from degu.data.synthetic import synthetic
from degu.data.table import read_table

__all__ = [
    "MotifGrammar",
    "RowFile",
    "RowWriter",
    "Split",
    "Splits",
    "TargetScaler",
    "TokenFile",
    "detokenize",
    "lac_promoter",
    "one_hot",
    "read_table",
    "reverse_complement",
    "synthetic",
    "tokenize",
    "tokens_from_one_hot",
]
