"""One training step: plain Keras next to the training form of the same network, and where the time goes, in one run.

Prints milliseconds (median) of the forward pass in training, of forward and backward pass, and of a whole step with
Adam, and ratios over plain (above 1, the form is faster), in float32 and in mixed bfloat16. Then the same step part
by part: a part is a block of the network, and its time is that of the network cut off behind it less that of the
network cut off before it, in the same round.

    python benchmarks/cpu_step.py --length 249 --batch-size 128 --json
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from harness import alternate, announce, environment, median, parser, ratio, report, table
from keras import ops
from workload import Workload

from degu.fused import training_form
from degu.fused.chains import find_chains
from degu.fused.graph import Graph

Call = Callable[[], Any]
SIDES: dict[str, Callable[[keras.Model], keras.Model]] = {"plain": lambda model: model, "form": training_form}


def forward(model: keras.Model, x: Any) -> Call:
    """Return the forward pass in training."""
    if keras.backend.backend() == "jax":
        import jax

        variables = [[v.value for v in kind] for kind in (model.trainable_variables, model.non_trainable_variables)]
        compiled = jax.jit(lambda *values: model.stateless_call(*values, training=True))
        return lambda: jax.block_until_ready(compiled(*variables, x))
    import tensorflow as tf

    # one number is read, so that the call returns when the work is done
    traced = tf.function(lambda x: ops.sum(model(x, training=True)))
    return lambda: traced(x).numpy()


def both_passes(model: keras.Model, x: Any) -> Call:
    """Return forward and backward pass; the loss is the mean square of the outputs."""
    if keras.backend.backend() == "jax":
        import jax

        trained, other = (
            [v.value for v in kind] for kind in (model.trainable_variables, model.non_trainable_variables)
        )

        def loss(trained: Any, other: Any, x: Any) -> Any:
            outputs, other = model.stateless_call(trained, other, x, training=True)
            return ops.mean(ops.square(outputs)), other

        compiled = jax.jit(jax.value_and_grad(loss, has_aux=True))
        return lambda: jax.block_until_ready(compiled(trained, other, x))
    import tensorflow as tf

    variables = [variable.value for variable in model.trainable_variables]

    @tf.function
    def traced(x: Any) -> list[Any]:
        with tf.GradientTape() as tape:
            loss = ops.mean(ops.square(model(x, training=True)))
        return tape.gradient(loss, variables)

    return lambda: [gradient.numpy() for gradient in traced(x)[:1]]


def whole_step(model: keras.Model, x: Any, y: Any) -> Call:
    """Return one batch of Keras' training with Adam."""
    model.compile("adam", "mse")
    return lambda: model.train_on_batch(x, y)


def steps(work: Workload, policy: str) -> dict[str, Call]:
    """Return the passes of both sides; each side has a network of its own."""
    calls: dict[str, Call] = {}
    x, y = tensors(work)
    for side, make in SIDES.items():
        model = make(network(work, policy))
        calls[f"forward, {side}"] = forward(model, x)
        calls[f"forward and backward, {side}"] = both_passes(model, x)
        calls[f"step with Adam, {side}"] = whole_step(model, x, y)
    return calls


def cuts(model: keras.Model) -> dict[str, keras.Model]:
    """Return the network cut off behind every block, the last one whole."""
    ends = [chain.layers[-1] for chain in find_chains(Graph(model))]
    # an activation without pooling is no part of a chain, yet of its block
    outputs = [_after_activation(layer.output) for layer in ends]
    found = {f"block {number}": keras.Model(model.input, output) for number, output in enumerate(outputs, start=1)}
    return {**found, "head": model}


def _after_activation(value: keras.KerasTensor) -> keras.KerasTensor:
    (call,) = value._keras_history.operation._outbound_nodes[:1]
    return call.outputs[0] if isinstance(call.operation, keras.layers.Activation) else value


def profile(work: Workload, policy: str, repeats: int) -> dict[str, dict[str, float]]:
    """Return the milliseconds of forward and backward pass that each part adds, by side."""
    x, _ = tensors(work)
    parts = cuts(network(work, policy))
    calls = {
        f"{part}, {side}": both_passes(make(cut), x) for part, cut in parts.items() for side, make in SIDES.items()
    }
    seconds = alternate(calls, repeats, warmup=2)
    added: dict[str, dict[str, float]] = {}
    for side in SIDES:
        before = [0.0] * repeats
        for part in parts:
            now = seconds[f"{part}, {side}"]
            added.setdefault(part, {})[side] = 1e3 * median([b - a for a, b in zip(before, now, strict=True)])
            before = now
    return added


def network(work: Workload, policy: str) -> keras.Model:
    """Return a new network of a dtype policy."""
    keras.config.set_dtype_policy(policy)
    model = work.network(0)
    keras.config.set_dtype_policy("float32")
    return model


def tensors(work: Workload) -> tuple[Any, Any]:
    """Return one batch."""
    return ops.convert_to_tensor(work.encoded()), ops.convert_to_tensor(work.targets)


def main() -> None:
    """Measure, print, store."""
    options = parser(__doc__)
    options.add_argument("--length", type=int, default=249)
    options.add_argument("--batch-size", type=int, default=128)
    options.add_argument("--width", type=float, default=1.0)
    options.add_argument("--repeats", type=int, default=30)
    options.add_argument("--deterministic", action="store_true", help="with deterministic kernels, as degu runs")
    asked = options.parse_args()
    if asked.deterministic and keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        keras.utils.set_random_seed(0)
        tf.config.experimental.enable_op_determinism()
    work = Workload(asked.length, asked.batch_size, steps=1, width=asked.width)
    announce(environment())
    result = {policy: measured(work, policy, asked.repeats) for policy in ("float32", "mixed_bfloat16")}
    report(asked, result)


def measured(work: Workload, policy: str, repeats: int) -> dict[str, Any]:
    """Measure and print one dtype policy."""
    seconds = alternate(steps(work, policy), repeats, warmup=2)
    names = list(dict.fromkeys(name.rpartition(", ")[0] for name in seconds))
    milliseconds = {name: 1e3 * median(values) for name, values in seconds.items()}
    ratios = {name: ratio(seconds, f"{name}, plain", f"{name}, form") for name in names}
    rows = [[name, *(milliseconds[f"{name}, {side}"] for side in SIDES), str(ratios[name])] for name in names]
    print(f"\n{policy}, ms\n" + table(["", *SIDES, "ratio (quartiles)"], rows), flush=True)
    parts = profile(work, policy, repeats)
    shares = [[part, *(times[side] for side in SIDES)] for part, times in parts.items()]
    print(f"\nforward and backward by part, {policy}, ms\n" + table(["", *SIDES], shares), flush=True)
    return {"ms": milliseconds, "ratios": {name: value._asdict() for name, value in ratios.items()}, "parts": parts}


if __name__ == "__main__":
    main()
