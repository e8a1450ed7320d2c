"""Kernel and composite operations, contexts and the reverse walk."""

import numpy as np
import pytest

from minikeras import ops
from minikeras.engine.context import Context, Run
from minikeras.engine.layer import Layer
from minikeras.engine.operation import Operation, infer_spec
from minikeras.engine.recording import Recording, walk_back
from minikeras.engine.symbolic import KerasTensor, Tensor


class Double(Operation):
    def forward(self, ctx, x):
        ctx.save(x)
        return 2 * x

    def backward(self, ctx, dy):
        assert len(ctx.saved) == 1
        return 2 * dy


class Quadruple(Operation):
    def call(self, x):
        return Double()(Double()(x))


class Louder(Double):
    """Overrides `call` of a kernel class and reaches the kernel through `super`."""

    def call(self, x):
        return super().call(x) + 1.0


def gradient(function, x):
    with Recording(Run(True, True)) as recording:
        tensor = recording.track(x)
        y = function(tensor)
    return y.array, recording.reverse([(y.slot, np.ones_like(y.array))])[tensor.slot]


def test_the_most_derived_definition_decides_the_kind():
    assert not Double.composite
    assert Quadruple.composite
    assert Louder.composite


@pytest.mark.parametrize(
    "function, value, slope", [(Double(), 6, 2), (Quadruple(), 12, 4), (Louder(), 7, 2)]
)
def test_both_kinds_have_gradients(function, value, slope):
    y, dx = gradient(function, np.array([3.0]))
    assert y.tolist() == [value]
    assert dx.tolist() == [slope]


def test_inference_keeps_nothing():
    context = Context(Run(False))
    Double().forward(context, np.ones(3))
    assert context.saved == ()


def test_an_input_used_twice_gets_the_sum():
    _, dx = gradient(lambda x: x * x + x, np.array([3.0]))
    assert dx.tolist() == [7.0]


def test_sums_do_not_write_into_gradients_that_are_shared():
    shared = np.ones(2)
    contexts = [Context(Run(True, True)) for _ in range(3)]
    # Slots: 0 the input, used by three calls whose backward returns the same array.
    calls = [(lambda ctx, dy: shared, ctx, [0], [slot]) for slot, ctx in enumerate(contexts, 1)]
    gradients = [None, np.ones(2), np.ones(2), np.ones(2)]
    walk_back(calls, gradients)
    assert gradients[0].tolist() == [3.0, 3.0]
    assert shared.tolist() == [1.0, 1.0]


def test_the_walk_frees_contexts_as_it_goes():
    calls = [(lambda ctx, dy: dy, Context(Run(True, True)), [0], [1])]
    walk_back(calls, [None, np.ones(1)])
    assert calls == []


def test_an_operation_without_gradient_says_so():
    class OneWay(Operation):
        def forward(self, ctx, x):
            return np.sign(x)

    with pytest.raises(NotImplementedError, match="OneWay has no gradient"):
        gradient(lambda x: OneWay()(x), np.ones(2))


def test_numpy_on_a_recorded_tensor_is_refused():
    with Recording(Run(True, True)) as recording:
        x = recording.track(np.ones(2))
        y = x * 2.0
        with pytest.raises(RuntimeError, match=r"minikeras\.ops"):
            np.asarray(y)
        with pytest.raises(RuntimeError, match=r"minikeras\.ops"):
            np.concatenate([y, y])
        assert y.numpy().tolist() == [2.0, 2.0]
    assert np.asarray(y).tolist() == [2.0, 2.0]


def test_numpy_ufuncs_become_operations():
    _, dx = gradient(lambda x: np.exp(x), np.array([0.5]))
    np.testing.assert_allclose(dx, np.exp([0.5]))


def test_unknown_sizes_stay_unknown_in_inferred_shapes():
    spec = infer_spec(
        lambda x: ops.concatenate([x, x], axis=0), (KerasTensor((None, 3, None)),), {}
    )
    assert spec.shape == (None, 3, None)
    assert spec.dtype == "float32"


def test_inference_of_shapes_changes_no_state():
    class Counter(Layer):
        def build(self, input_shape):
            self.count = self.add_weight(shape=(), initializer="zeros", trainable=False)

        def call(self, x):
            self.count.assign_add(1.0)
            return x

    layer = Counter()
    layer(KerasTensor((None, 2)))
    assert float(layer.count) == 0.0
    layer(np.ones((1, 2), "float32"))
    assert float(layer.count) == 1.0


def test_tensors_carry_marks_of_their_owners():
    x = Tensor(np.ones(3))
    assert x._keras_mask is None and not hasattr(x, "mark")
    x.mark, x.numpy = "mine", lambda: "replaced"
    assert x.mark == "mine" and x.numpy() == "replaced"
    assert not hasattr(Tensor(np.ones(3)), "mark")
    with pytest.raises(AttributeError):
        x.shape = (1, 3)


def test_tensors_cannot_be_written_to():
    tensor = Tensor(np.zeros(3))
    with pytest.raises(TypeError, match="cannot be changed in place"):
        tensor[0] = 1.0


def test_symbolic_tensors_have_no_value():
    x = KerasTensor((None, 2))
    with pytest.raises(TypeError, match="symbolic"):
        np.asarray(x)
    with pytest.raises(TypeError, match="boolean"):
        bool(x)


def test_config_of_a_class_without_get_config_is_its_arguments():
    class Scale(Operation):
        def __init__(self, factor, offset=0.0, name=None):
            super().__init__(name=name)
            self.factor = factor

    assert Scale(2.0, name="s").get_config() == {"factor": 2.0, "offset": 0.0, "name": "s"}
    assert Scale.from_config({"factor": 3.0}).factor == 3.0
    with pytest.raises(NotImplementedError, match="get_config"):
        Scale(object()).get_config()
