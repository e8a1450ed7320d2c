import copy
import pickle

import numpy as np
import pytest

import minikeras
from minikeras import dialects, ops, optimizers
from minikeras.engine import registry
from minikeras.engine.variable import Variable
from minikeras.optimizers import plan

SHAPES = [(5, 3), (3,), (2, 2, 3), (), (4, 4)]
NAMES = [
    name
    for name, kind in registry.optimizers.objects().items()
    if name not in ("LossScaleOptimizer", "MultiOptimizer", "OptimizerMap")
]


def variables(dtype="float32", shapes=SHAPES):
    rng = np.random.default_rng(0)
    return [
        Variable(rng.normal(size=shape).astype(dtype), name=f"v{i}")
        for i, shape in enumerate(shapes)
    ]


def gradients(own, seed=1):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=v.shape).astype(v.dtype) for v in own]


def make(name, **options):
    return getattr(optimizers, name)(**options)


def step(optimizer, own, seed=1):
    optimizer.apply(gradients(own, seed), own)


def values(own):
    return [v.numpy() for v in own]


def assert_equal(one, two):
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_dtypes_stay(name, dtype):
    own = variables(dtype)
    optimizer = make(name)
    step(optimizer, own)
    assert {v.array.dtype for v in own} == {np.dtype(dtype)}
    assert all(np.isfinite(v.array).all() for v in own)
    for chunk in optimizer.chunks:
        assert chunk.slots["all"].dtype == dtype


@pytest.mark.parametrize("name", NAMES)
def test_deterministic(name):
    results = []
    for _ in range(2):
        own, optimizer = variables(), make(name, weight_decay=0.01, global_clipnorm=1.0)
        for seed in range(5):
            step(optimizer, own, seed)
        results.append([*values(own), *values(optimizer.variables)])
    assert_equal(*results)


@pytest.mark.parametrize("name", NAMES)
def test_blocks_make_no_difference(name, monkeypatch):
    results = []
    for block in (plan.BLOCK, 7):
        monkeypatch.setattr(plan, "BLOCK", block)
        own, optimizer = variables("float64"), make(name, weight_decay=0.01)
        for seed in range(3):
            step(optimizer, own, seed)
        results.append(values(own))
    for a, b in zip(*results):
        # Numbers at the end of a block may go through other instructions.
        np.testing.assert_allclose(a, b, rtol=1e-13)


@pytest.mark.parametrize("name", NAMES)
def test_update_step_by_hand_is_the_same(name):
    kind = getattr(optimizers, name)

    class ByHand(kind):
        def update_step(self, gradient, variable, learning_rate):
            super().update_step(gradient, variable, learning_rate)

    one, two = variables("float64"), variables("float64")
    for optimizer, own in ((kind(), one), (ByHand(name="by_hand"), two)):
        for seed in range(3):
            step(optimizer, own, seed)
    if name == "Nadam":
        return  # Its running product moves once an update, before the steps; see below.
    for a, b in zip(values(one), values(two)):
        np.testing.assert_allclose(a, b, rtol=1e-13)


@pytest.mark.parametrize("name", NAMES)
def test_copies_and_pickles_go_on_alike(name):
    own, optimizer = variables(), make(name, use_ema=True)
    step(optimizer, own)
    model = {"optimizer": optimizer, "variables": own}
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        other = values(own)
        step(twin["optimizer"], twin["variables"], 2)
        assert_equal(values(own), other)
        fresh = copy.deepcopy(model)
        step(fresh["optimizer"], fresh["variables"], 2)
        assert_equal(values(fresh["variables"]), values(twin["variables"]))


@pytest.mark.parametrize("name", NAMES)
def test_files_and_weights(name):
    own, optimizer = variables(), make(name)
    step(optimizer, own)
    store: dict = {}
    optimizer.save_own_variables(store)
    other, twin = variables(), type(optimizer).from_config(optimizer.get_config())
    twin.build(other)
    twin.load_own_variables(store)
    assert_equal(values(twin.variables), values(optimizer.variables))
    for variable, value in zip(other, values(own)):
        variable.assign(value)
    step(optimizer, own, 3)
    step(twin, other, 3)
    assert_equal(values(own), values(other))
    twin.set_weights(optimizer.get_weights())
    with pytest.raises(ValueError, match="shape"):
        twin.set_weights([np.zeros(3)] * len(twin.variables))


@pytest.mark.parametrize("name", NAMES)
def test_sink_and_apply_agree(name):
    one, two = variables(), variables()
    first, second = make(name), make(name)
    first.build(one)
    for seed in range(3):
        first.sink.begin()
        for variable, gradient in zip(one, gradients(one, seed)):
            first.sink.add(variable, gradient / 2)
            first.sink.add(variable, gradient / 2)
        first.apply_sink()
        step(second, two, seed)
    assert_equal(values(one), values(two))


def test_apply_of_the_sinks_own_arrays():
    own = variables()
    one, two = optimizers.Adam(), optimizers.Adam()
    one.build(own)
    given = gradients(own)
    for variable, gradient in zip(own, given):
        one.sink.add(variable, gradient)
    other = variables()
    two.apply(given, other)
    one.apply([one.sink.get(v) for v in own], own)
    assert_equal(values(own), values(other))


def test_missing_gradients_warn_once():
    own, optimizer = variables(), optimizers.Adam()
    before = own[1].numpy()
    given = gradients(own)
    given[1] = None
    with pytest.warns(UserWarning, match="Gradients do not exist for variables \\['v1'\\]"):
        optimizer.apply(given, own)
    optimizer.apply(given)
    np.testing.assert_array_equal(own[1].numpy(), before)
    assert int(optimizer.iterations) == 2


def test_learning_rate():
    optimizer = optimizers.SGD(0.5)
    assert float(optimizer.learning_rate) == 0.5
    optimizer.learning_rate = 0.25
    assert float(optimizer.learning_rate) == float(optimizer.lr) == 0.25
    own = variables()
    before = own[0].numpy()
    optimizer.apply([np.ones(v.shape, v.dtype) for v in own], own)
    np.testing.assert_allclose(own[0].numpy(), before - 0.25, rtol=1e-6)
    optimizer.learning_rate = lambda: 0.125
    assert [v.name for v in optimizer.variables] == ["iteration"]
    before = own[0].numpy()
    optimizer.apply([np.ones(v.shape, v.dtype) for v in own], own)
    np.testing.assert_allclose(own[0].numpy(), before - 0.125, rtol=1e-6)
    with pytest.raises(TypeError, match="settable"):
        optimizer.learning_rate = 0.1


def test_options_may_change_between_steps():
    own = variables("float64")
    optimizer = optimizers.SGD(1.0)
    optimizer.build(own)
    for value in (None, 0.1):
        optimizer.clipvalue = value
        before = own[0].numpy()
        optimizer.apply([np.ones(v.shape) for v in own], own)
        np.testing.assert_allclose(before - own[0].numpy(), 1.0 if value is None else value)


def test_spellings_of_keras_2():
    dialects.silence(False)  # each spelling warns once
    with pytest.warns(DeprecationWarning, match="learning_rate"):
        optimizer = optimizers.SGD(lr=1)
    assert float(optimizer.learning_rate) == 1.0
    with pytest.warns(DeprecationWarning, match="decay"):
        optimizer = optimizers.SGD(learning_rate=1.0, decay=0.5)
    v = Variable(np.zeros(1))
    steps = []
    for _ in range(3):
        before = v.numpy()
        optimizer.apply([np.ones(1)], [v])
        steps.append((before - v.numpy()).item())
    np.testing.assert_allclose(steps, [1, 1 / 1.5, 1 / 2], rtol=1e-6)
    assert optimizer.get_config()["decay"] == 0.5
    dialects.silence(False)
    with pytest.warns(DeprecationWarning):
        assert optimizers.SGD.from_config(optimizer.get_config()).decay == 0.5


def test_own_optimizer():
    class Momentum(minikeras.Optimizer):
        def __init__(self, learning_rate=0.1, momentum=0.5, **kwargs):
            super().__init__(learning_rate=learning_rate, **kwargs)
            self.momentum = momentum

        def build(self, variables):
            super().build(variables)
            self.moments = [self.add_variable_from_reference(v, name="moment") for v in variables]

        def update_step(self, gradient, variable, learning_rate):
            moment = self.moments[self._get_variable_index(variable)]
            gradient = ops.cast(gradient, variable.dtype)
            self.assign(moment, ops.add(ops.multiply(moment, self.momentum), gradient))
            self.assign_sub(variable, ops.multiply(learning_rate, moment))

        def get_config(self):
            return {**super().get_config(), "momentum": self.momentum}

    own = [Variable(np.array([1.0, 2.0]), name="v")]
    optimizer = Momentum(weight_decay=0.1, clipnorm=1.0, gradient_accumulation_steps=2)
    w, m = np.array([1.0, 2.0]), np.zeros(2)
    for _ in range(2):
        optimizer.apply([np.array([3.0, 4.0])], own)
    w -= w * 0.1 * float(optimizer.learning_rate)
    m = m * 0.5 + np.array([0.6, 0.8])
    w -= float(optimizer.learning_rate) * m
    np.testing.assert_allclose(own[0].numpy(), w, rtol=1e-7)
    assert [v.name for v in optimizer.variables][-1] == "v_moment"
    with minikeras.utils.custom_object_scope({"Momentum": Momentum}):
        twin = optimizers.deserialize(optimizers.serialize(optimizer))
    assert twin.get_config() == optimizer.get_config()


@pytest.mark.parametrize("wrap", ["LossScaleOptimizer", "MultiOptimizer"])
def test_optimizers_of_optimizers(wrap):
    """By sink and by `apply` alike, and as the inner optimizer alone."""
    results = []
    for by_sink in (True, False):
        own = variables()
        if wrap == "LossScaleOptimizer":
            optimizer = optimizers.LossScaleOptimizer(optimizers.Adam(), initial_scale=4.0)
        else:
            where = optimizers.OptimizerMap(optimizers.Adam(), {"none": optimizers.SGD()})
            optimizer = optimizers.MultiOptimizer(where)
        optimizer.build(own)
        factor = 4.0 if wrap == "LossScaleOptimizer" else 1.0
        for seed in range(3):
            given = [g * factor for g in gradients(own, seed)]
            if by_sink:
                optimizer.sink.begin()
                for variable, gradient in zip(own, given):
                    optimizer.sink.add(variable, gradient)
                optimizer.apply_sink()
            else:
                optimizer.apply(given, own)
        results.append(values(own))
        twin = copy.deepcopy({"optimizer": optimizer, "variables": own})
        twin["optimizer"].apply(given, twin["variables"])
        optimizer.apply(given, own)
        assert_equal(values(own), values(twin["variables"]))
    own, alone = variables(), optimizers.Adam()
    for seed in range(3):
        step(alone, own, seed)
    assert_equal(results[0], values(own))
    assert_equal(results[1], values(own))


def test_own_apply_gradients_is_called():
    class Halving(optimizers.SGD):
        def apply_gradients(self, grads_and_vars):
            return super().apply_gradients([(g * 0.5, v) for g, v in grads_and_vars])

    own = [Variable(np.zeros(2), name="v")]
    optimizer = Halving(1.0)
    optimizer.build(own)
    optimizer.sink.add(own[0], np.ones(2))
    optimizer.apply_sink()
    np.testing.assert_array_equal(own[0].numpy(), [-0.5, -0.5])


def test_variables_set_as_attributes_are_found():
    class Own(minikeras.Optimizer):
        def __init__(self):
            super().__init__(0.1)
            self.extra = Variable(np.zeros(2), name="extra")
            self.more = [Variable(np.zeros(1), name="more")]

    assert [v.name for v in Own().variables] == ["iteration", "learning_rate", "extra", "more"]


def test_forgotten_super():
    class Own(minikeras.Optimizer):
        def __init__(self):
            self.x = 1

    with pytest.raises(RuntimeError, match="super"):
        Own()


def test_overwriting_variables():
    own = variables("float64")
    own[1].overwrite_with_gradient = True
    optimizer = optimizers.Adam()
    given = gradients(own)
    optimizer.apply(given, own)
    np.testing.assert_array_equal(own[1].numpy(), given[1])
    assert len(optimizer.variables) == 2 + 2 * 4


def test_stateless_apply():
    own, optimizer = variables("float64"), optimizers.Adam()
    optimizer.build(own)
    before = values([*own, *optimizer.variables])
    given = gradients(own)
    new, state = optimizer.stateless_apply(optimizer.get_weights(), given, values(own))
    assert_equal(values([*own, *optimizer.variables]), before)
    optimizer.apply(given)
    assert_equal([np.asarray(x) for x in new], values(own))
    assert_equal([np.asarray(x) for x in state], values(optimizer.variables))
    with pytest.raises(ValueError, match="optimizer_variables"):
        optimizer.stateless_apply([], given, values(own))


def test_shared_arenas():
    """Two optimizers for parts of the same variables leave each other's alone."""
    own = variables("float64")
    one, two = optimizers.SGD(0.1), optimizers.Adam()
    one.build(own)
    two.build(own[1:3])
    before = values(own)
    step(two, own[1:3])
    after = values(own)
    for index in (0, 3, 4):
        np.testing.assert_array_equal(before[index], after[index])
    step(one, own)


def test_bad_shape_of_gradient():
    own = [Variable(np.zeros(2), name="v")]
    with pytest.raises(ValueError, match="must have its shape"):
        optimizers.SGD().apply([np.zeros(3)], own)
    with pytest.raises(ValueError, match="one to one"):
        optimizers.SGD().apply([np.zeros(2)] * 2, own)


def test_unknown_name_lists_near_ones():
    with pytest.raises(ValueError, match="'Adam'"):
        optimizers.get("adm")
    assert type(optimizers.get("RMSPROP")) is optimizers.RMSprop
    assert optimizers.get(None) is None


def test_no_allocation_in_the_steady_state():
    import tracemalloc

    own = variables("float32", [(200, 200), (200,)])
    optimizer = optimizers.Adam()
    optimizer.build(own)
    for variable, gradient in zip(own, gradients(own)):
        optimizer.sink.add(variable, gradient)
    optimizer.apply_sink()
    tracemalloc.start()
    for _ in range(3):
        optimizer.apply_sink()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # Counters, Python floats, and the buffers of ufuncs (NumPy 2.0 needs larger ones); an array
    # of the variables' size would be 160,000.
    assert peak < 120_000


@pytest.mark.parametrize(
    "optimizer",
    [
        optimizers.SGD(0.1, loss_scale_factor=64.0),
        optimizers.LossScaleOptimizer(optimizers.SGD(0.1)),
        optimizers.MultiOptimizer(optimizers.OptimizerMap(optimizers.SGD(0.1)), 16.0),
    ],
    ids=lambda one: type(one).__name__,
)
def test_scaled_losses_train_alike(optimizer):
    x = np.random.default_rng(0).normal(size=(16, 3)).astype("float32")
    results = []
    for one in (optimizers.SGD(0.1), optimizer):
        model = minikeras.Sequential([minikeras.Input((3,)), minikeras.layers.Dense(1)])
        model.set_weights([np.ones((3, 1)), np.zeros(1)])
        model.compile(one, "mse")
        model.fit(x, x.sum(1), epochs=2, verbose=0)
        results.append(model.get_weights())
    # Scales are powers of two, but sums of gradients round differently where they underflow.
    for a, b in zip(*results):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7)


LONG = [
    ("SGD", {}),
    ("SGD", {"momentum": 0.9}),
    ("SGD", {"momentum": 0.9, "nesterov": True}),
    ("RMSprop", {}),
    ("Adam", {}),
    ("Adam", {"amsgrad": True}),
    ("AdamW", {"weight_decay": 0.01}),
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name, options", LONG)
def test_long_blocks_are_updated_as_short_ones(name, options, dtype, monkeypatch):
    shapes = [(50, 40), (70,), (400, 200)]

    def train():
        own, optimizer = variables(dtype, shapes), make(name, **options)
        for seed in range(3):
            step(optimizer, own, seed)
        return own, optimizer

    monkeypatch.setattr(plan, "SMALLEST", 1 << 14)
    monkeypatch.setattr("minikeras.kernels.parallel._chosen", 3)
    long, optimizer = train()
    bound = [len(one) for one in next(iter(optimizer._plans.values())).groups[0].bound]
    assert len(bound) == 3 and sum(bound) > 0
    monkeypatch.setattr(plan, "SPREAD", 1 << 30)
    short, optimizer = train()
    assert not next(iter(optimizer._plans.values())).groups[0].bound
    tolerance = 50 * np.finfo(dtype).eps  # the same formula, rounded in other places
    for one, other in zip(long, short):
        np.testing.assert_allclose(one.array, other.array, rtol=tolerance, atol=tolerance)


def test_another_rule_has_no_use_for_the_long_one():
    class Signs(optimizers.SGD):
        def rule(self):
            def update(c, w, g, slots, scratch):
                w -= np.sign(g)

            return update

    own = variables(shapes=[(300, 200)])
    before = own[0].array.copy()
    step(Signs(), own)
    np.testing.assert_allclose(before - own[0].array, np.sign(gradients(own)[0]), atol=1e-6)
