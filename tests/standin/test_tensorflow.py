"""TensorFlow's names in scripts. That the numbers are TensorFlow's is compared in compat/."""

import logging

import numpy as np
import pytest

import minikeras
from minikeras import dialects


@pytest.fixture
def tf():
    dialects.silence()
    with minikeras.install_as_keras():
        import tensorflow

        yield tensorflow
    dialects.silence(False)


def test_every_module_and_name_is_there(tf):
    import importlib

    from minikeras.standin.tf import _HOMES

    for path in _HOMES:
        module = importlib.import_module(f"tensorflow.{path}".rstrip("."))
        for home in module._homes:
            if home.startswith("minikeras.standin"):
                home, _, names = home.partition(":")
                for name in getattr(importlib.import_module(home), names or "__all__"):
                    getattr(module, name)


def test_dtypes(tf):
    x = tf.constant([1.0, 2.0])
    assert x.dtype == tf.float32 and x.dtype != tf.float64 and tf.float32 == "float32"
    assert repr(tf.int64) == "<dtype: 'int64'>" and tf.float32.name == "float32"
    assert tf.as_dtype(np.float64) == tf.float64 == tf.double
    assert np.zeros(2, tf.float32).dtype == np.float32
    assert tf.float32.as_numpy_dtype is np.float32 and tf.uint8.max == 255
    assert tf.keras.Input((2,), dtype=tf.int32).dtype == tf.int32
    layer = tf.keras.layers.Dense(1, dtype=tf.float64)
    assert layer(np.ones((1, 2))).dtype == tf.float64


def test_constants(tf):
    assert tf.constant("abc").numpy() == b"abc"
    assert tf.constant(["a", "b"]).numpy().tolist() == [b"a", b"b"]
    assert tf.constant(1, tf.float32).dtype == tf.float32
    assert tf.is_tensor(tf.constant(1)) and not tf.is_tensor(np.ones(1))
    source = np.ones(2, "float32")
    made = tf.constant(source)
    source[0] = 5
    assert made.numpy().tolist() == [1, 1]


def test_variables(tf):
    v = tf.Variable([1.0, 2.0], name="weights:0")
    v.assign_add([1.0, 1.0])
    v.assign_sub(tf.ones(2))
    assert v.numpy().tolist() == [1, 2] and v.name == "weights"
    assert isinstance(v, tf.Variable) and not isinstance(tf.ones(2), tf.Variable)
    layer = tf.keras.layers.Dense(2)
    layer.build((None, 3))
    assert isinstance(layer.kernel, tf.Variable)
    assert not tf.Variable(1.0, trainable=False).trainable
    assert tf.Variable(lambda: tf.ones((2,)), dtype=tf.float64).dtype == tf.float64
    with pytest.raises(ValueError, match="initial_value"):
        tf.Variable()


def test_seeds(tf):
    def draws():
        tf.random.set_seed(3)
        return [
            tf.random.normal((2,)).numpy().tolist(),
            tf.random.uniform((2,), 0, 9, tf.int32).numpy().tolist(),
            tf.random.shuffle(tf.range(5)).numpy().tolist(),
            [int(x) for x in tf.data.Dataset.range(9).shuffle(9)],
        ]

    first = draws()
    assert first == draws()
    same = [tf.random.stateless_uniform((3,), seed=(1, 2)).numpy().tolist() for _ in range(2)]
    assert same[0] == same[1]
    assert tf.random.stateless_uniform((3,), seed=(1, 3)).numpy().tolist() != same[0]
    generator = tf.random.Generator.from_seed(1)
    assert generator.normal((2,)).numpy().tolist() != generator.normal((2,)).numpy().tolist()


def test_draws_are_of_their_distributions(tf):
    tf.random.set_seed(0)
    normal = tf.random.normal((20000,), mean=2.0, stddev=3.0).numpy()
    uniform = tf.random.uniform((20000,), -1, 1).numpy()
    gamma = tf.random.gamma((20000,), 2.0, beta=4.0).numpy()
    poisson = tf.random.poisson((20000,), [1.0, 5.0]).numpy()
    classes = tf.random.categorical(tf.math.log([[0.2, 0.8]]), 20000).numpy()
    # Five standard errors of 20,000 draws.
    assert abs(normal.mean() - 2) < 0.11 and abs(normal.std() - 3) < 0.08
    assert abs(uniform.mean()) < 0.03 and uniform.min() >= -1 and uniform.max() < 1
    assert abs(gamma.mean() - 0.5) < 0.02
    assert np.abs(poisson.mean(0) - [1, 5]).max() < 0.1
    assert abs(classes.mean() - 0.8) < 0.02
    assert gamma.dtype == uniform.dtype == np.float32 and classes.dtype == np.int64


def test_a_training_loop(tf):
    x = np.random.default_rng(0).standard_normal((64, 3)).astype("float32")
    y = x @ np.array([[1.0], [2.0], [3.0]], "float32")
    w, b = tf.Variable(tf.zeros((3, 1))), tf.Variable(tf.zeros(1))
    optimizer = tf.optimizers.SGD(0.1)
    dataset = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(64).batch(16)

    @tf.function
    def step(a, b_true):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(tf.matmul(a, w) + b - b_true))
        gradients = tape.gradient(loss, [w, b])
        optimizer.apply_gradients(zip(gradients, [w, b]))
        return loss

    for _ in range(30):
        for one in dataset:
            loss = step(*one)
    assert float(loss) < 1e-3
    np.testing.assert_allclose(w, [[1], [2], [3]], atol=0.05)


def test_functions_are_returned_as_they_are(tf):
    def f(x):
        return x + 1

    assert tf.function(f) is f
    assert tf.function(jit_compile=True)(f) is f
    assert tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])(f) is f
    assert tf.autograph.experimental.do_not_convert(f) is f


def test_operations_on_symbolic_tensors(tf):
    inputs = tf.keras.Input((4,))
    mean = tf.reduce_mean(tf.square(inputs), axis=1, keepdims=True)
    joined = tf.nn.relu(tf.concat([mean, inputs], axis=1))
    flat = tf.reshape(joined, (tf.shape(joined)[0], 5, 1))
    model = tf.keras.Model(inputs, flat)
    found = model.predict(np.array([[1.0, -2.0, 3.0, 0.0]]), verbose=0)
    assert found[..., 0].tolist() == [[3.5, 1.0, 0.0, 3.0, 0.0]]


def test_own_layers_losses_and_models(tf):
    class Sampling(tf.keras.layers.Layer):
        def call(self, inputs):
            mean, spread = inputs
            shape = (tf.shape(mean)[0], tf.shape(mean)[1])
            return mean + tf.exp(spread) * tf.random.normal(shape)

    class Scale(tf.keras.layers.Layer):
        def build(self, shape):
            self.w = tf.Variable(tf.ones((shape[-1],)), trainable=True)

        def call(self, x):
            return x * self.w

    def loss(y_true, y_pred):
        return tf.reduce_mean(tf.square(tf.cast(y_true, tf.float32) - y_pred), axis=-1)

    inputs = tf.keras.Input((3,))
    drawn = Sampling()([Scale()(inputs), tf.keras.layers.Dense(3)(inputs)])
    model = tf.keras.Model(inputs, drawn)
    assert len(model.trainable_variables) == 3
    model.compile("adam", loss)
    history = model.fit(np.ones((8, 3)), np.ones((8, 3)), epochs=2, verbose=0)
    assert np.isfinite(history.history["loss"]).all()


def test_gpu_settings_do_nothing(tf):
    assert tf.config.list_physical_devices("GPU") == []
    assert len(tf.config.list_physical_devices()) == 1
    assert tf.config.experimental.list_physical_devices("GPU") == []
    tf.config.experimental.set_memory_growth("no device", True)
    tf.config.run_functions_eagerly(True)
    tf.config.set_soft_device_placement(True)
    tf.config.experimental.enable_op_determinism()
    assert not tf.test.is_gpu_available() and tf.test.gpu_device_name() == ""
    assert not tf.test.is_built_with_cuda() and tf.executing_eagerly()
    config = tf.compat.v1.ConfigProto(allow_soft_placement=True)
    config.gpu_options.allow_growth = True
    with tf.compat.v1.Session(config=config) as session:
        session.run(tf.compat.v1.global_variables_initializer())
        with pytest.raises(NotImplementedError, match="tf.Session.run"):
            session.run(tf.constant(1))
    tf.Session(config=tf.ConfigProto(gpu_options=tf.GPUOptions(per_process_gpu_memory_fraction=1)))
    with tf.device("/GPU:0"), tf.name_scope("a"):
        assert int(tf.constant(1) + 1) == 2
    tf.compat.v1.disable_eager_execution()
    tf.compat.v1.set_random_seed(1)
    tf.set_random_seed(1)


def test_logging(tf):
    level = tf.get_logger().level
    tf.get_logger().setLevel("ERROR")
    assert logging.getLogger("tensorflow").level == logging.ERROR
    tf.compat.v1.logging.set_verbosity(tf.compat.v1.logging.INFO)
    assert tf.compat.v1.logging.get_verbosity() == 20
    tf.logging.set_verbosity(tf.logging.ERROR)
    tf.get_logger().setLevel(level)


def test_strategies_of_one_replica(tf):
    strategy = tf.distribute.MirroredStrategy()
    with strategy.scope():
        model = tf.keras.Sequential([tf.keras.Input((2,)), tf.keras.layers.Dense(1)])
    assert strategy.num_replicas_in_sync == 1
    assert strategy.run(lambda x: x + 1, args=(1,)) == 2
    assert model.count_params() == 3
    assert tf.distribute.get_strategy().num_replicas_in_sync == 1


def test_modules(tf):
    class Linear(tf.Module):
        def __init__(self):
            super().__init__(name="linear")
            self.w = tf.Variable(2.0)
            self.fixed = tf.Variable(1.0, trainable=False)
            self.inner = [tf.Variable(3.0)]

        @tf.function
        def __call__(self, x):
            return self.w * x + self.fixed

    module = Linear()
    assert float(module(3.0)) == 7.0 and module.name == "linear"
    assert len(module.variables) == 3 and len(module.trainable_variables) == 2

    class Outer(tf.Module):
        def __init__(self):
            super().__init__()
            self.part = Linear()
            self.layer = tf.keras.layers.Dense(1)

    outer = Outer()
    outer.layer.build((None, 2))
    assert len(outer.trainable_variables) == 4 and outer.part in outer.submodules


def test_images_in_files(tf, tmp_path):
    pytest.importorskip("PIL")
    image = np.random.default_rng(0).integers(0, 256, (5, 6, 3)).astype("uint8")
    path = str(tmp_path / "a.png")
    tf.io.write_file(path, tf.io.encode_png(image))
    raw = tf.io.read_file(path)
    for decode in (
        tf.io.decode_png,
        tf.image.decode_png,
        tf.image.decode_image,
        tf.io.decode_image,
    ):
        assert np.array_equal(decode(raw, channels=3), image)
    assert tf.image.decode_png(raw, channels=1).shape == (5, 6, 1)
    assert tf.image.decode_jpeg(tf.io.encode_jpeg(image), channels=3).shape == (5, 6, 3)
    names = tf.data.Dataset.list_files(str(tmp_path / "*.png"))
    loaded = next(iter(names.map(lambda name: tf.image.decode_png(tf.io.read_file(name)))))
    assert np.array_equal(loaded, image)
    assert tf.io.gfile.exists(path) and tf.io.gfile.glob(str(tmp_path / "*")) == [path]


def test_random_images(tf):
    tf.random.set_seed(0)
    image = np.arange(60.0, dtype="float32").reshape(4, 5, 3)
    flips = {tf.image.random_flip_left_right(image).numpy().tobytes() for _ in range(20)}
    assert flips == {image.tobytes(), image[:, ::-1].tobytes()}
    crop = tf.image.random_crop(image, (2, 2, 3)).numpy()
    assert any(
        np.array_equal(crop, image[i : i + 2, j : j + 2]) for i in range(3) for j in range(4)
    )
    brighter = tf.image.random_brightness(image, 0.5).numpy() - image
    assert np.ptp(brighter) < 1e-4 and abs(brighter.mean()) <= 0.5
    with pytest.raises(NotImplementedError, match="gaussian"):
        tf.image.resize(image, (2, 2), method="gaussian")


def test_text_in_layers(tf):
    def standardize(text):
        return tf.strings.regex_replace(tf.strings.lower(text), "[!?]", "")

    layer = tf.keras.layers.TextVectorization(standardize=standardize, output_sequence_length=3)
    dataset = tf.data.Dataset.from_tensor_slices(["Hello World!", "hello"]).batch(2)
    layer.adapt(dataset)
    assert layer.get_vocabulary()[:3] == ["", "[UNK]", "hello"]
    assert layer(tf.constant(["HELLO?"])).numpy()[0, 0] == 2
    assert [row.tolist() for row in next(iter(dataset.map(layer))).numpy()] == [
        [2, 3, 0],
        [2, 0, 0],
    ]
    with pytest.raises(NotImplementedError, match="ragged"):
        tf.strings.split(tf.constant(["a b", "c"]))


def test_prints(tf, capsys):
    tf.print("loss", tf.constant(1.5), output_stream="file://stderr")
    assert capsys.readouterr().err == "loss 1.5\n"


def test_errors_can_be_caught(tf):
    with pytest.raises(tf.errors.InvalidArgumentError, match="not equal"):
        tf.debugging.assert_equal(1, 2, message="not equal")
    with pytest.raises(ValueError):
        tf.ensure_shape(tf.ones((2,)), (3,))


def test_shapes_answer(tf):
    shape = tf.TensorShape([None, 3])
    assert shape.as_list() == [None, 3] and shape.rank == 2 and shape[1:].as_list() == [3]
    assert tf.zeros((2, 3)).shape.as_list() == [2, 3]
    assert tf.zeros((2, 3)).get_shape().as_list() == [2, 3]
    assert tf.TensorSpec((None, 2), tf.float32) == tf.TensorSpec([None, 2])


def test_loops_and_choices(tf):
    assert float(tf.case([(tf.constant(False), lambda: 1.0)], default=lambda: 2.0)) == 2.0
    assert tf.py_function(lambda x: x.numpy() * 2, [3.0], tf.float32).numpy() == 6.0
    assert tf.numpy_function(np.sum, [np.ones(3)], tf.float64).numpy() == 3.0

    @tf.custom_gradient
    def twice(x):
        return x * 2.0, lambda dy: dy * 10.0

    x = tf.Variable(1.0)
    with tf.GradientTape() as tape:
        y = twice(x)
    assert float(tape.gradient(y, x)) == 10.0
