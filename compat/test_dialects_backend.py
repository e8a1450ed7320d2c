"""Every function of Keras 2's `keras.backend`, against the Keras that had it (tf-keras).

The cases are checked against the table: a function without a case fails.
"""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import minikeras
from minikeras import backend as ours
from minikeras import dialects
from minikeras.dialects import backend as table

theirs = tf_keras.backend
R = np.random.default_rng(0)
X = R.normal(size=(4, 3, 5)).astype("float32")
POSITIVE = np.abs(X) + 0.1
PROBABILITIES = POSITIVE / POSITIVE.sum(-1, keepdims=True)
LABELS = np.eye(5, dtype="float32")[np.array([[0, 1, 2]] * 4)]
IMAGE = R.normal(size=(2, 6, 7, 3)).astype("float32")
VOLUME = R.normal(size=(2, 4, 5, 3, 2)).astype("float32")
K1 = R.normal(size=(2, 5, 4)).astype("float32")
K2 = R.normal(size=(3, 2, 3, 4)).astype("float32")
K2T = R.normal(size=(3, 3, 4, 3)).astype("float32")
K3 = R.normal(size=(2, 2, 2, 2, 3)).astype("float32")
DEPTHWISE = R.normal(size=(3, 2, 3, 2)).astype("float32")
POINTWISE = R.normal(size=(1, 1, 6, 4)).astype("float32")
LOCAL1 = R.normal(size=(2, 10, 4)).astype("float32")
LOCAL2 = R.normal(size=(20, 18, 4)).astype("float32")
VECTOR = np.array([0.5, -1.0, 2.0, 0.1, 3.0], "float32")


@pytest.fixture(autouse=True)
def quiet():
    dialects.silence()
    yield
    dialects.silence(False)


def mask_of(K, x):
    return K.constant([[1, 1, 1], [1, 0, 1], [1, 1, 0], [0, 1, 1]]) > 0


def updated(K, function, *rest):
    variable = K.variable(X)
    getattr(K, function)(variable, *rest)
    return K.get_value(variable)


def step(K):
    return lambda x, states: (x + 2 * states[0], [x + 2 * states[0]])


# What the functions are called with: K, x (4, 3, 5), positive p, probabilities q, one-hot t.
CASES = {
    **{
        name: [lambda K, x, p, q, t, name=name: getattr(K, name)(x)]
        for name in (
            "abs cos exp round sigmoid sign sin softplus softsign square tanh transpose relu elu"
            " hard_sigmoid softmax flatten batch_flatten ones_like zeros_like identity"
            " expand_dims sqrt ndim int_shape count_params dtype argmax argmin"
        ).split()
    },
    **{
        name: [
            lambda K, x, p, q, t, name=name: getattr(K, name)(x),
            lambda K, x, p, q, t, name=name: getattr(K, name)(x, axis=-1, keepdims=True),
            lambda K, x, p, q, t, name=name: getattr(K, name)(x, [0, 2], False),
        ]
        for name in "max mean min prod std sum var logsumexp".split()
    },
    **{
        name: [
            lambda K, x, p, q, t, name=name: getattr(K, name)(x > 0),
            lambda K, x, p, q, t, name=name: getattr(K, name)(x > 0, axis=1, keepdims=True),
        ]
        for name in ("all", "any")
    },
    **{
        name: [
            lambda K, x, p, q, t, name=name: getattr(K, name)(x, p),
            lambda K, x, p, q, t, name=name: getattr(K, name)(x=x, y=x[0]),
        ]
        for name in (
            "equal greater greater_equal less less_equal maximum minimum not_equal"
        ).split()
    },
    **{
        name: [
            lambda K, x, p, q, t, name=name: getattr(K, name)(x),
            lambda K, x, p, q, t, name=name: getattr(K, name)(x, axis=1),
        ]
        for name in ("cumsum", "cumprod")
    },
    "log": [lambda K, x, p, q, t: K.log(p)],
    "pow": [lambda K, x, p, q, t: K.pow(p, 1.5), lambda K, x, p, q, t: K.pow(x, a=2)],
    "arange": [
        lambda K, x, p, q, t: K.arange(5),
        lambda K, x, p, q, t: K.arange(1, 9, 2, dtype="float32"),
    ],
    "batch_dot": [
        lambda K, x, p, q, t: K.batch_dot(x, K.permute_dimensions(p, (0, 2, 1))),
        lambda K, x, p, q, t: K.batch_dot(x[:, 0], p[:, 1], axes=1),
        lambda K, x, p, q, t: K.batch_dot(x, p, axes=[2, 2]),
        lambda K, x, p, q, t: K.batch_dot(x[:, 0], p, axes=(1, 2)),
    ],
    "batch_get_value": [lambda K, x, p, q, t: K.batch_get_value([K.variable(X)])[0]],
    "batch_normalization": [
        lambda K, x, p, q, t: K.batch_normalization(x, x[0, 0], p[0, 0], x[1, 1], p[1, 1]),
        lambda K, x, p, q, t: K.batch_normalization(
            K.constant(IMAGE), x[0, 0, :3], p[0, 0, :3], x[1, 1, :3], p[1, 1, :3], epsilon=0.1
        ),
    ],
    "batch_set_value": [
        lambda K, x, p, q, t: [
            variable := K.variable(X),
            K.batch_set_value([(variable, POSITIVE)]),
            K.get_value(variable),
        ][-1]
    ],
    "bias_add": [
        lambda K, x, p, q, t: K.bias_add(x, p[0, 0]),
        lambda K, x, p, q, t: K.bias_add(
            K.constant(IMAGE.transpose(0, 3, 1, 2)), p[0, 0, :3], "channels_first"
        ),
        lambda K, x, p, q, t: K.bias_add(x, p[0]),
    ],
    "binary_crossentropy": [
        lambda K, x, p, q, t: K.binary_crossentropy(t, q),
        lambda K, x, p, q, t: K.binary_crossentropy(t, x, from_logits=True),
    ],
    "binary_focal_crossentropy": [
        lambda K, x, p, q, t: K.binary_focal_crossentropy(t, q),
        lambda K, x, p, q, t: K.binary_focal_crossentropy(t, x, True, 0.3, 1.5, True),
    ],
    "categorical_crossentropy": [
        lambda K, x, p, q, t: K.categorical_crossentropy(t, q),
        lambda K, x, p, q, t: K.categorical_crossentropy(t, x, from_logits=True),
    ],
    "categorical_focal_crossentropy": [
        lambda K, x, p, q, t: K.categorical_focal_crossentropy(t, q),
        lambda K, x, p, q, t: K.categorical_focal_crossentropy(t, x, 0.3, 1.5, True),
    ],
    "cast": [lambda K, x, p, q, t: K.cast(x, "float64")],
    "cast_to_floatx": [lambda K, x, p, q, t: K.cast_to_floatx(np.arange(3))],
    "clip": [
        lambda K, x, p, q, t: K.clip(x, -0.5, 0.5),
        lambda K, x, p, q, t: K.clip(x, min_value=0.0, max_value=1.0),
    ],
    "concatenate": [
        lambda K, x, p, q, t: K.concatenate([x, p]),
        lambda K, x, p, q, t: K.concatenate([x, p], axis=1),
    ],
    "constant": [
        lambda K, x, p, q, t: K.constant(2, shape=(2, 3)),
        lambda K, x, p, q, t: K.constant([1.5, 2.5], dtype="float64"),
    ],
    "conv1d": [
        lambda K, x, p, q, t: K.conv1d(x, K.constant(K1), strides=1, padding="same"),
        lambda K, x, p, q, t: K.conv1d(x, K.constant(K1), padding="causal", dilation_rate=2),
    ],
    "conv2d": [
        lambda K, x, p, q, t: K.conv2d(K.constant(IMAGE), K.constant(K2)),
        lambda K, x, p, q, t: K.conv2d(K.constant(IMAGE), K.constant(K2), (2, 1), "same"),
    ],
    "conv2d_transpose": [
        lambda K, x, p, q, t: K.conv2d_transpose(
            K.constant(IMAGE), K.constant(K2T), (2, 12, 14, 4), (2, 2), "same"
        ),
        lambda K, x, p, q, t: K.conv2d_transpose(
            K.constant(IMAGE), K.constant(K2T), (2, 8, 9, 4), (1, 1), "valid"
        ),
    ],
    "conv3d": [lambda K, x, p, q, t: K.conv3d(K.constant(VOLUME), K.constant(K3))],
    "ctc_batch_cost": [
        lambda K, x, p, q, t: K.ctc_batch_cost(
            np.array([[1, 2], [0, 0], [3, 1], [2, 0]]),
            q,
            np.array([[3], [3], [2], [3]]),
            np.array([[2], [1], [1], [1]]),
        )
    ],
    "ctc_decode": [
        lambda K, x, p, q, t: K.ctc_decode(q, np.array([3, 3, 2, 3]))[0][0],
        lambda K, x, p, q, t: K.ctc_decode(q, np.array([3, 3, 2, 3]))[1],
        lambda K, x, p, q, t: K.ctc_decode(
            q, np.array([3, 3, 2, 3]), greedy=False, beam_width=50, top_paths=2
        )[0][0],
    ],
    "depthwise_conv2d": [
        lambda K, x, p, q, t: K.depthwise_conv2d(K.constant(IMAGE), K.constant(DEPTHWISE))
    ],
    "dot": [
        lambda K, x, p, q, t: K.dot(x[:, 0], K.transpose(p[:, 0])),
        lambda K, x, p, q, t: K.dot(x, K.transpose(p[0])),
    ],
    "dropout": [lambda K, x, p, q, t: K.dropout(x, 0.0)],
    "eval": [lambda K, x, p, q, t: K.eval(K.variable(X))],
    "eye": [lambda K, x, p, q, t: K.eye(3)],
    "foldl": [lambda K, x, p, q, t: K.foldl(lambda a, b: a * 2 + b, x)],
    "foldr": [
        lambda K, x, p, q, t: K.foldr(lambda a, b: a * 2 + b, x),
        lambda K, x, p, q, t: K.foldr(lambda a, b: a * 2 + b, x, initializer=p[0]),
    ],
    "gather": [lambda K, x, p, q, t: K.gather(x, np.array([2, 0]))],
    "get_value": [lambda K, x, p, q, t: K.get_value(K.variable(2.5))],
    "in_test_phase": [lambda K, x, p, q, t: K.in_test_phase(x, p, training=1)],
    "in_top_k": [
        lambda K, x, p, q, t: K.in_top_k(q[:, 0], K.constant([0, 1, 2, 3], dtype="int32"), 2)
    ],
    "in_train_phase": [
        lambda K, x, p, q, t: K.in_train_phase(x, p, training=True),
        lambda K, x, p, q, t: K.in_train_phase(lambda: x, lambda: p),
    ],
    "is_sparse": [lambda K, x, p, q, t: K.is_sparse(x)],
    "l2_normalize": [
        lambda K, x, p, q, t: K.l2_normalize(x, axis=-1),
        lambda K, x, p, q, t: K.l2_normalize(x),
    ],
    "learning_phase": [lambda K, x, p, q, t: K.learning_phase()],
    "local_conv1d": [
        lambda K, x, p, q, t: K.local_conv1d(x, K.constant(LOCAL1), (2,), (1,), "channels_last")
    ],
    "local_conv2d": [
        lambda K, x, p, q, t: K.local_conv2d(
            K.constant(IMAGE[:, :, :6]), K.constant(LOCAL2), (3, 2), (1, 1), (4, 5), "channels_last"
        )
    ],
    "manual_variable_initialization": [
        lambda K, x, p, q, t: K.manual_variable_initialization(False)
    ],
    "map_fn": [lambda K, x, p, q, t: K.map_fn(lambda row: K.sum(row, axis=0) * 2, x)],
    "moving_average_update": [lambda K, x, p, q, t: updated(K, "moving_average_update", p, 0.9)],
    "normalize_batch_in_training": [
        lambda K, x, p, q, t, i=i: K.normalize_batch_in_training(x, p[0, 0], x[0, 0], [0, 1])[i]
        for i in range(3)
    ]
    + [
        lambda K, x, p, q, t, i=i: K.normalize_batch_in_training(
            K.constant(IMAGE), p[0, 0, :3], x[0, 0, :3], [0, 1, 2]
        )[i]
        for i in range(3)
    ],
    "one_hot": [lambda K, x, p, q, t: K.one_hot(np.array([0, 2]), 4)],
    "ones": [lambda K, x, p, q, t: K.get_value(K.ones((2, 3), dtype="float64"))],
    "permute_dimensions": [lambda K, x, p, q, t: K.permute_dimensions(x, (2, 0, 1))],
    "pool2d": [
        lambda K, x, p, q, t: K.pool2d(K.constant(IMAGE), (2, 2)),
        lambda K, x, p, q, t: K.pool2d(K.constant(IMAGE), (3, 2), (2, 2), "same", pool_mode="avg"),
    ],
    "pool3d": [lambda K, x, p, q, t: K.pool3d(K.constant(VOLUME), (2, 2, 2), (2, 1, 1))],
    "print_tensor": [lambda K, x, p, q, t: K.print_tensor(x, "x")],
    "random_bernoulli": [lambda K, x, p, q, t: K.random_bernoulli((2, 3), 1.0)],
    "random_binomial": [lambda K, x, p, q, t: K.random_binomial((2, 3), 0.0)],
    "random_normal": [lambda K, x, p, q, t: K.random_normal((2, 3), 2.0, 0.0)],
    "random_normal_variable": [
        lambda K, x, p, q, t: K.get_value(K.random_normal_variable((2, 3), 2.0, 1e-9))
    ],
    "random_uniform": [lambda K, x, p, q, t: K.random_uniform((2, 3), 1.0, 1.0 + 1e-7)],
    "random_uniform_variable": [
        lambda K, x, p, q, t: K.get_value(K.random_uniform_variable((2, 3), 1.0, 1.0 + 1e-7))
    ],
    "repeat": [lambda K, x, p, q, t: K.repeat(x[:, 0], 3)],
    "repeat_elements": [lambda K, x, p, q, t: K.repeat_elements(x, rep=2, axis=1)],
    "reset_uids": [lambda K, x, p, q, t: K.reset_uids()],
    "reshape": [lambda K, x, p, q, t: K.reshape(x, shape=(-1, 5))],
    "resize_images": [
        lambda K, x, p, q, t: K.resize_images(K.constant(IMAGE), 2, 3, "channels_last"),
        lambda K, x, p, q, t: K.resize_images(
            K.constant(IMAGE), 2, 2, "channels_last", interpolation="bilinear"
        ),
    ],
    "resize_volumes": [
        lambda K, x, p, q, t: K.resize_volumes(K.constant(VOLUME), 2, 1, 3, "channels_last")
    ],
    "reverse": [lambda K, x, p, q, t: K.reverse(x, 1), lambda K, x, p, q, t: K.reverse(x, [0, 2])],
    "rnn": [lambda K, x, p, q, t, i=i: K.rnn(step(K), x, [p[:, 0]])[i] for i in (0, 1)]
    + [
        lambda K, x, p, q, t: K.rnn(step(K), x, [p[:, 0]], go_backwards=True)[1],
        lambda K, x, p, q, t: K.rnn(step(K), x, [p[:, 0]], mask=mask_of(K, x))[1],
        lambda K, x, p, q, t: K.rnn(
            step(K), x, [p[:, 0]], mask=mask_of(K, x), zero_output_for_mask=True
        )[1],
    ],
    "separable_conv2d": [
        lambda K, x, p, q, t: K.separable_conv2d(
            K.constant(IMAGE), K.constant(DEPTHWISE), K.constant(POINTWISE), padding="same"
        )
    ],
    "set_value": [lambda K, x, p, q, t: updated(K, "set_value", POSITIVE)],
    "shape": [lambda K, x, p, q, t: K.shape(x)],
    "sparse_categorical_crossentropy": [
        lambda K, x, p, q, t: K.sparse_categorical_crossentropy(
            K.constant([[0, 1, 2]] * 4, dtype="int32"), q
        ),
        lambda K, x, p, q, t: K.sparse_categorical_crossentropy(
            K.constant([[0, 1, 2]] * 4, dtype="int32"), x, from_logits=True, ignore_class=1
        ),
    ],
    "spatial_2d_padding": [
        lambda K, x, p, q, t: K.spatial_2d_padding(
            K.constant(IMAGE), ((1, 2), (0, 3)), "channels_last"
        )
    ],
    "spatial_3d_padding": [
        lambda K, x, p, q, t: K.spatial_3d_padding(
            K.constant(VOLUME), ((1, 2), (0, 3), (1, 1)), "channels_last"
        )
    ],
    "squeeze": [lambda K, x, p, q, t: K.squeeze(x[:, :1], 1)],
    "stack": [lambda K, x, p, q, t: K.stack([x, p], axis=1)],
    "stop_gradient": [lambda K, x, p, q, t: K.stop_gradient(x)],
    "switch": [
        lambda K, x, p, q, t: K.switch(x > 0, x, -x),
        lambda K, x, p, q, t: K.switch(K.constant(True, dtype="bool"), lambda: x, lambda: p),
    ],
    "temporal_padding": [lambda K, x, p, q, t: K.temporal_padding(x, (1, 2))],
    "tile": [
        lambda K, x, p, q, t: K.tile(x, [1, 2, 1]),
        lambda K, x, p, q, t: K.tile(x, n=[2, 1, 1]),
    ],
    "to_dense": [lambda K, x, p, q, t: K.to_dense(x)],
    "truncated_normal": [lambda K, x, p, q, t: K.truncated_normal((2, 3), 2.0, 0.0)],
    "update": [lambda K, x, p, q, t: updated(K, "update", POSITIVE)],
    "update_add": [lambda K, x, p, q, t: updated(K, "update_add", POSITIVE)],
    "update_sub": [lambda K, x, p, q, t: updated(K, "update_sub", POSITIVE)],
    "variable": [lambda K, x, p, q, t: K.get_value(K.variable(X))],
    "zeros": [lambda K, x, p, q, t: K.get_value(K.zeros((2, 3)))],
}
# Tested by what they do, below or in tests/dialects.
OTHERWISE = {
    "ctc_label_dense_to_sparse": "says that there are no sparse tensors",
    "function": "test_functions_between_tensors",
    "get_session": "Keras 1; says that there are no sessions",
    "set_session": "Keras 1; does nothing",
    "gradients": "test_gradients",
    "is_placeholder": "test_placeholders",
    "placeholder": "test_placeholders",
    "learning_phase_scope": "test_learning_phase",
    "set_learning_phase": "test_learning_phase",
    "image_dim_ordering": "Keras 1",
    "set_image_dim_ordering": "Keras 1",
    "lesser": "Keras 1",
    "lesser_equal": "Keras 1",
    "asymmetric_temporal_padding": "Keras 1",
    "get_variable_shape": "Keras 1",
}
# In `tf_keras.backend` by accident: not of `K`.
NOT_OF_K = {"experimental"}


def test_no_function_is_without_a_case():
    assert set(table.names()) == set(CASES) | set(OTHERWISE)


def test_no_function_is_missing():
    public = {name for name in dir(theirs) if name[0] != "_"} - NOT_OF_K
    assert sorted(name for name in public if not hasattr(ours, name)) == []


def of_keras_2(name):
    """In tf-keras some are left in the module that is not public."""
    from tf_keras.src import backend

    return theirs if hasattr(theirs, name) else backend


@pytest.mark.parametrize(
    ("name", "number"), [(name, i) for name, cases in CASES.items() for i in range(len(cases))]
)
def test_functions(name, number):
    call = CASES[name][number]
    values = []
    for K in (ours, of_keras_2(name)):
        values.append(call(K, *map(K.constant, (X, POSITIVE, PROBABILITIES, LABELS))))
    if isinstance(values[1], (str, type(None), bool)):
        assert values[0] == values[1]
        return
    mine, its = map(np.asarray, values)
    assert mine.shape == its.shape and mine.dtype.kind == its.dtype.kind
    # Sums in another order, exponentials of another library: a few units in the last place.
    np.testing.assert_allclose(mine, its, rtol=3e-5, atol=2e-6)


# Those that take a batch of any size, on symbols: a model of them computes what arrays give.
SYMBOLIC = {
    "abs all any argmax argmin batch_flatten cast clip concatenate cumprod cumsum dot elu equal exp"
    " expand_dims greater hard_sigmoid l2_normalize less log max maximum mean min minimum not_equal"
    " ones_like permute_dimensions pow prod relu repeat_elements reverse round sigmoid sign sin"
    " softmax softplus softsign sqrt square squeeze stack std sum switch tanh temporal_padding tile"
    " var zeros_like bias_add batch_dot binary_crossentropy categorical_crossentropy"
}


@pytest.mark.parametrize("name", sorted(" ".join(SYMBOLIC).split()))
def test_functions_of_symbols(name):
    for call in CASES[name]:
        arrays = (X, POSITIVE, PROBABILITIES, LABELS)
        symbols = [minikeras.Input((3, 5)) for _ in arrays]
        expected = np.asarray(call(ours, *map(ours.constant, arrays)))
        output = call(ours, *symbols)
        (found,) = ours.function(symbols, [output])(arrays)
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", ["random_normal", "random_uniform", "truncated_normal"])
def test_random_numbers_have_the_same_distribution(name):
    samples = []
    for K in (ours, theirs):
        call = getattr(K, name)
        samples.append(np.asarray(call((200, 200), 1.0, 3.0, seed=3)))
    # Standard errors of 40,000 numbers: 0.005 of the deviation.
    assert abs(samples[0].mean() - samples[1].mean()) < 0.08
    assert abs(samples[0].std() - samples[1].std()) < 0.06


def test_dropped_share():
    for K in (ours, theirs):
        kept = np.asarray(K.dropout(K.ones((100, 100)), 0.3, seed=1))
        assert set(np.unique(kept.round(4))) == {0.0, np.float32(1 / 0.7).round(4)}
        # Five standard errors of 10,000 draws.
        assert abs((kept == 0).mean() - 0.3) < 0.025


def test_placeholders():
    for K in (ours, theirs):
        x = K.placeholder((None, 3))
        assert K.int_shape(x) == (None, 3) and K.ndim(x) == 2 and K.is_keras_tensor(x)
    assert ours.is_placeholder(ours.placeholder(ndim=2))
    assert not ours.is_placeholder(ours.placeholder((2, 3)) * 2)


def models():
    """The same convolutional classifier on both packages."""
    made = []
    for keras in (minikeras, tf_keras):
        made.append(
            keras.Sequential(
                [
                    keras.layers.Input((6, 7, 3)),
                    keras.layers.Conv2D(4, 3, activation="tanh"),
                    keras.layers.Dropout(0.5),
                    keras.layers.Flatten(),
                    keras.layers.Dense(3, activation="softmax"),
                ]
            )
        )
    made[0].set_weights(made[1].get_weights())
    return made


def test_functions_between_tensors():
    found = []
    for keras, model in zip((minikeras, tf_keras), models()):
        K = keras.backend
        layers = [layer.output for layer in model.layers]
        one = K.function([model.input], [layers[0], layers[-1]])([IMAGE])
        two = K.function(model.input, layers[-1])(IMAGE)
        found.append([*map(np.asarray, one), np.asarray(two)])
    for mine, its in zip(*found):
        np.testing.assert_allclose(mine, its, rtol=1e-5, atol=1e-6)


def test_gradients():
    """`K.gradients` is of graphs: the oracle computes the same derivatives with its own tape."""
    mine, its = models()
    loss = ours.mean(mine.output[:, 1])
    convolution = mine.layers[0].output
    weights = mine.trainable_weights
    wanted = [
        *ours.gradients(loss, [mine.input, convolution]),
        *ours.gradients(loss, weights),
    ]
    found = ours.function([mine.input, ours.learning_phase()], wanted)([IMAGE, 0])
    with tf.GradientTape() as tape:
        x = tf.constant(IMAGE)
        tape.watch(x)
        inner = its.layers[0](x)
        value = inner
        for layer in its.layers[1:]:
            value = layer(value)
        expected = tf.reduce_mean(value[:, 1])
    sources = [x, inner, *its.trainable_weights]
    for gradient, theirs_ in zip(found, tape.gradient(expected, sources), strict=True):
        np.testing.assert_allclose(gradient, theirs_, rtol=1e-4, atol=1e-7)


def test_learning_phase():
    for K, keras in ((ours, minikeras), (theirs, tf_keras)):
        layer = keras.layers.Dropout(0.5)
        x = np.ones((2, 50), "float32")
        assert np.asarray(layer(x)).min() == 1
        try:
            K.set_learning_phase(1)
            assert K.learning_phase() == 1 and np.asarray(layer(x)).min() == 0
            model = keras.Sequential([keras.layers.Input((50,)), layer])
            assert model.predict(x, verbose=0).min() == 1
        finally:
            K.set_learning_phase(0)
        assert np.asarray(layer(x)).min() == 1
    type(minikeras.engine.context.state).learning_phase = None
