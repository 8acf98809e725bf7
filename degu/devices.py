"""Choice of the device that a study runs on, and a plain sentence about it."""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from degu.errors import ConfigError
from degu.quiet import quiet_native_stderr

log = logging.getLogger(__name__)

VISIBLE = "CUDA_VISIBLE_DEVICES"
"""Environment variable with the GPUs that a process may use, by number or name."""


class Device(NamedTuple):
    """The device in use.

    Attributes:
        kind: `"cpu"` or `"gpu"`.
        name: What it is, in words.
        precision: The Keras dtype policy, `"float32"` or `"mixed_bfloat16"` for example.
    """

    kind: str
    name: str
    precision: str

    def __str__(self) -> str:
        return f"{self.name}, {self.precision}"


def use_device(
    device: str = "auto",
    *,
    precision: str = "float32",
    memory_growth: bool = True,
    deterministic: bool = True,
) -> Device:
    """Prepare the backend and say which device is used.

    Args:
        device: `"auto"` (a GPU if the backend sees one), `"cpu"`, `"gpu"` or `"gpu:<index>"`.
        precision: Keras dtype policy: `"float32"`, `"float64"`, `"mixed_float16"` or `"mixed_bfloat16"`.
        memory_growth: Let TensorFlow take GPU memory as needed, so that several processes share one GPU.
        deterministic: Use deterministic kernels only; the same seed then gives the same bits on a CPU.

    Returns:
        The device in use. A GPU that was asked for and is not there is an error, not a fallback.

    Raises:
        ConfigError: When the name is not understood or the GPU does not exist.
    """
    import keras

    index = _gpu_index(device)
    with quiet_native_stderr():
        gpus = _list_gpus() if device != "cpu" else []
    if device.startswith("gpu") and index >= len(gpus):
        raise ConfigError(
            f"Expected device={device} to exist. Received: {len(gpus)} GPUs. Use device.device=auto or cpu"
        )
    keras.config.set_dtype_policy(precision)
    keras.config.set_floatx("float64" if precision == "float64" else "float32")
    if keras.backend.backend() == "tensorflow":
        _prepare_tensorflow(gpus[index] if gpus else None, memory_growth, deterministic)
    if keras.backend.backend() == "jax" and precision == "float64":
        import jax

        jax.config.update("jax_enable_x64", True)
    if gpus:
        chosen = Device("gpu", f"GPU {index}: {_gpu_name(gpus[index])}", precision)
    else:
        chosen = Device("cpu", f"CPU ({platform.machine()}, {_usable_cores()} cores)", precision)
        if device == "auto":
            log.info("No GPU is visible to %s: running on the CPU.", keras.backend.backend())
    log.info("Device: %s", chosen)
    return chosen


def uses_gpu() -> bool:
    """Whether the backend computes on a GPU."""
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return bool(tf.config.get_visible_devices("GPU"))
    return bool(_list_gpus())


def free_memory() -> int | None:
    """Return the bytes that are free where the backend computes; None where the system does not tell.

    On a GPU it is known for JAX alone, and means what JAX may still take. On a CPU it is what Linux calls available.
    """
    import keras

    if uses_gpu():
        stats = _list_gpus()[0].memory_stats() if keras.backend.backend() == "jax" else None
        return stats["bytes_limit"] - stats["bytes_in_use"] if stats else None
    info = Path("/proc/meminfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    available = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return 1024 * int(available[0]) if available else None


def visible_gpus() -> list[str]:
    """Return the GPUs that this process may use, as `CUDA_VISIBLE_DEVICES` names them, without loading a backend."""
    if VISIBLE in os.environ:
        return [name.strip() for name in os.environ[VISIBLE].split(",") if name.strip() not in ("", "-1")]
    if shutil.which("nvidia-smi") is None:
        return []
    command = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.split() if done.returncode == 0 else []


def _gpu_index(device: str) -> int:
    kind, _, index = device.partition(":")
    if kind not in {"auto", "cpu", "gpu"} or (index and (kind != "gpu" or not index.isdigit())):
        raise ConfigError(f"Expected device to be auto, cpu, gpu or gpu:<index>. Received: {device!r}")
    return int(index or 0)


def _list_gpus() -> list:
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.config.list_physical_devices("GPU")
    if keras.backend.backend() == "jax":
        import jax

        return [found for found in jax.devices() if found.platform == "gpu"]
    return []


def _gpu_name(gpu: object) -> str:
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.config.experimental.get_device_details(gpu).get("device_name", "unknown")
    return str(getattr(gpu, "device_kind", gpu))


def _prepare_tensorflow(gpu: object | None, memory_growth: bool, deterministic: bool) -> None:
    import tensorflow as tf

    try:
        tf.config.set_visible_devices([gpu] if gpu is not None else [], "GPU")
        if gpu is not None and memory_growth:
            tf.config.experimental.set_memory_growth(gpu, True)
    except RuntimeError as error:
        raise ConfigError(f"The device must be chosen before TensorFlow is used: {error}") from error
    # Every member is a new model and is traced once; TensorFlow's advice against that does not apply.
    tf.get_logger().addFilter(lambda record: "retracing" not in record.getMessage())
    if deterministic:
        tf.config.experimental.enable_op_determinism()
    atexit.unregister(_remove_generated_bytecode)
    atexit.register(_remove_generated_bytecode)


def _remove_generated_bytecode() -> None:
    """Remove the bytecode of what TensorFlow's AutoGraph wrote into the folder of temporary files.

    It removes its sources when the process ends, and leaves a file in `__pycache__` for each of them.
    """
    for name, module in list(sys.modules.items()):
        cached = getattr(module.__spec__, "cached", None) if name.startswith("__autograph_generated_file") else None
        if cached is not None:
            with contextlib.suppress(OSError):  # another process still has files there, or the folder is gone
                Path(cached).unlink(missing_ok=True)
                Path(cached).parent.rmdir()


def _usable_cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
