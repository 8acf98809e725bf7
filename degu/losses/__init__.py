"""Loss functions that know missing targets and predicted uncertainty.

Targets have shape (batch, targets), or (batch,) for a single target. Predictions come in groups of columns as
`degu.models.heads` lays them out: all means first. A NaN target was not measured: the loss of a sample is the
mean over its measured columns, and the loss of a sample without any measurement is 0, with no gradient. That
sample still counts in the mean over the batch. The loss of a sample does not depend on its batch, so sample
weights act as in any Keras loss and the logged value is the mean over the samples.
"""

from degu.losses.columnwise import ColumnwiseLoss
from degu.losses.crossentropy import BinaryCrossentropy
from degu.losses.evidential import EvidentialRegression, EvidentialUncertainty, evidential_uncertainty
from degu.losses.gaussian import BetaNLL, GaussianNLL
from degu.losses.squared import DistillationLoss, MaskedMSE

__all__ = [
    "BetaNLL",
    "BinaryCrossentropy",
    "ColumnwiseLoss",
    "DistillationLoss",
    "EvidentialRegression",
    "EvidentialUncertainty",
    "GaussianNLL",
    "MaskedMSE",
    "evidential_uncertainty",
]
