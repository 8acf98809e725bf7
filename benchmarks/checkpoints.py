"""What it costs that a training can be interrupted: seconds of keeping states, and their share of the training.

The members of `experiment=demo` are trained for a few epochs, and the calls are timed that keep states on disk and that
remember the state at the beginning of an epoch, from which a broken batch is found. States are kept every ten seconds
(the default) and, for the largest share there can be, after every epoch.

    python benchmarks/checkpoints.py --json
"""

from __future__ import annotations

import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from harness import announce, environment, parser, report, table

from degu import EnsemblerBase
from degu.data import lac_promoter
from degu.models import small_cnn
from degu.train import Checkpoints, train_standard_fun
from degu.train.checkpoint import Checkpoint
from degu.train.failure import Watch

OFTEN = {"every 10 s": Checkpoints(), "every epoch": Checkpoints(epochs=1, seconds=0.0)}


def timed(owner: Any, name: str, spent: dict[str, list[float]]) -> Callable[[], None]:
    """Time the calls of a method from now on; return what undoes that."""
    method = getattr(owner, name)

    def call(*args: Any) -> Any:
        start = time.perf_counter()
        try:
            return method(*args)
        finally:
            spent[f"{owner.__name__}.{name}"].append(time.perf_counter() - start)

    setattr(owner, name, call)
    return partial(setattr, owner, name, method)


def train(members: int, epochs: int, often: Checkpoints) -> dict[str, float]:
    """Train members and return the seconds of all and of the calls."""
    splits = lac_promoter()
    spent: dict[str, list[float]] = defaultdict(list)
    undo = [timed(Checkpoint, "keep", spent), timed(Watch, "begin", spent)]
    try:
        with tempfile.TemporaryDirectory() as folder:
            ensembler = EnsemblerBase(partial(small_cnn, (splits.length, 4), splits.num_targets, kernel_size=15))
            start = time.perf_counter()
            ensembler.train(
                splits.train.tokens,
                splits.train.targets,
                members,
                partial(train_standard_fun, max_epochs=epochs, batch_size=128),
                (splits.valid.tokens, splits.valid.targets),
                Path(folder) / "member",
                standardize=True,
                resume=often,
            )
            seconds = time.perf_counter() - start
    finally:
        for restore in undo:
            restore()
    found = {name: sum(values) for name, values in spent.items()}
    return {"training": seconds, **found, "share": sum(found.values()) / seconds}


def main() -> None:
    """Measure, print and store."""
    made = parser(__doc__)
    made.add_argument("--members", type=int, default=5, help="members that are trained side by side")
    made.add_argument("--epochs", type=int, default=8, help="epochs of each")
    options = made.parse_args()
    found = environment("keras")
    announce(found)
    result = {name: train(options.members, options.epochs, often) for name, often in OFTEN.items()}
    columns = list(next(iter(result.values())))
    print(table(["states", *columns], [[name, *(row[column] for column in columns)] for name, row in result.items()]))
    report(options, result, found)


if __name__ == "__main__":
    main()
