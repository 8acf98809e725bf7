"""Callbacks shared by the training recipes."""

from __future__ import annotations

import keras

from degu.progress import Progress


class EpochProgress(keras.callbacks.Callback):
    """One progress step an epoch, with the loss that early stopping watches.

    Args:
        name: What is being trained, for example `"member 2/5"`.
        monitor: The logged value that is shown.
    """

    def __init__(self, name: str, monitor: str = "val_loss") -> None:
        super().__init__()
        self.name = name
        self.monitor = monitor
        self.progress: Progress | None = None

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Open the bar."""
        self.progress = Progress(self.name, self.params.get("epochs") or 0, "epoch")

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Count the epoch."""
        value = (logs or {}).get(self.monitor)
        if self.progress is not None:
            self.progress.reach(epoch + 1, "" if value is None else f"{self.monitor}={value:.4f}")

    def on_train_end(self, logs: dict | None = None) -> None:
        """Close the bar."""
        if self.progress is not None:
            self.progress.__exit__()
            self.progress = None


class LearningRateLog(keras.callbacks.Callback):
    """Adds the learning rate at the end of every epoch to the logs, where a schedule sets it."""

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Log it."""
        if logs is not None:
            logs["learning_rate"] = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))


def stopping_and_schedule(
    monitor: str, es_patience: int, lr_decay: float, lr_patience: int, min_lr: float
) -> list[keras.callbacks.Callback]:
    """Return early stopping that restores the best epoch's weights, and the plateau schedule."""
    return [
        keras.callbacks.EarlyStopping(monitor=monitor, mode="min", patience=es_patience, restore_best_weights=True),
        keras.callbacks.ReduceLROnPlateau(
            monitor=monitor, mode="min", factor=lr_decay, patience=lr_patience, min_lr=min_lr
        ),
    ]
