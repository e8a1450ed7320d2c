"""Images changed by chance: what is drawn, where pixels go, what comes out of folders."""

import pickle

import numpy as np
import pytest

import minikeras as keras
from minikeras import dialects
from minikeras.preprocessing import image

IMAGES = np.random.default_rng(0).random((9, 6, 8, 3)).astype("float32")
LABELS = np.arange(9) % 3
LAST = {"row_axis": 0, "col_axis": 1, "channel_axis": 2}


@pytest.fixture(autouse=True)
def silent():
    dialects.silence()
    yield
    dialects.silence(False)


def dot(row, column):
    x = np.zeros((5, 7, 1), "float32")
    x[row, column] = 1
    return x


def places(x):
    return np.argwhere(x[..., 0] > 0.5).tolist()


def test_shifts_go_where_their_names_say():
    flow = image.ImageDataGenerator
    assert places(flow(width_shift_range=[2]).apply_transform(dot(2, 3), {"tx": 2})) == [[2, 1]]
    for _ in range(5):
        moved = flow(width_shift_range=[2], fill_mode="constant").random_transform(dot(2, 3))
        assert places(moved) in ([[2, 1]], [[2, 5]])
        moved = flow(height_shift_range=[1], fill_mode="constant").random_transform(dot(2, 3))
        assert places(moved) in ([[1, 3]], [[3, 3]])


def test_images_turn_around_their_centre():
    turned = image.apply_affine_transform(dot(2, 3), theta=90, **LAST)
    assert places(turned) == [[2, 3]]
    assert places(image.apply_affine_transform(dot(2, 4), theta=180, **LAST)) == [[2, 2]]
    assert places(image.apply_affine_transform(dot(2, 3), zx=0.3, zy=0.3, **LAST)) != [[2, 3]]


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("nearest", [0, 0, 0, 1, 2]),
        ("constant", [9, 9, 0, 1, 2]),
        ("reflect", [1, 0, 0, 1, 2]),
        ("wrap", [2, 3, 0, 1, 2]),
    ],
)
@pytest.mark.parametrize("order", [0, 1])
def test_what_is_outside(mode, expected, order):
    row = np.arange(5.0).reshape(1, 5, 1)
    moved = image.apply_affine_transform(row, tx=-2, fill_mode=mode, cval=9, order=order, **LAST)
    assert moved[0, :, 0].tolist() == expected


def test_bad_arguments():
    for options, word in (
        ({"row_axis": 0, "col_axis": 0, "channel_axis": 2}, "row_axis"),
        ({"row_axis": 0, "col_axis": 2, "channel_axis": 1}, "channel_axis"),
        ({**LAST, "fill_mode": "nonsense"}, "fill_mode"),
        ({**LAST, "order": 9}, "order"),
    ):
        with pytest.raises(ValueError, match=word):
            image.apply_affine_transform(IMAGES[0], theta=3, **options)
    with pytest.raises(ValueError, match="rank 4"):
        image.ImageDataGenerator().fit(IMAGES[0])
    with pytest.raises(ValueError, match="rank 4"):
        image.ImageDataGenerator().flow(IMAGES[0])
    with pytest.raises(ValueError, match="same length"):
        image.ImageDataGenerator().flow(IMAGES, LABELS[:3])
    with pytest.raises(ValueError, match="subset"):
        image.ImageDataGenerator().flow(IMAGES, LABELS, subset="nonsense")
    with pytest.raises(ValueError, match="classes"):
        generator = image.ImageDataGenerator(validation_split=0.3)
        generator.flow(IMAGES, np.sort(LABELS), subset="training")
    with pytest.raises(ValueError, match="There is no batch 9"):
        image.ImageDataGenerator().flow(IMAGES)[9]


@pytest.mark.parametrize(
    ("settings", "implied"),
    [
        ({"zca_whitening": True}, "featurewise_center"),
        ({"featurewise_std_normalization": True}, "featurewise_center"),
        ({"samplewise_std_normalization": True}, "samplewise_center"),
    ],
)
def test_what_implies_what(settings, implied):
    with pytest.warns(UserWarning, match=f"overrides setting of `{implied}`"):
        generator = image.ImageDataGenerator(**settings)
    assert getattr(generator, implied)
    if implied == "featurewise_center":
        with pytest.warns(UserWarning, match="hasn't been fit"):
            generator.standardize(IMAGES.copy())


def test_whitening_leaves_no_correlation():
    generator = image.ImageDataGenerator(featurewise_center=True, zca_whitening=True)
    images = np.random.default_rng(0).random((400, 3, 3, 1))
    generator.fit(images)
    white = generator.standardize(images.copy()).reshape(400, 9)
    np.testing.assert_allclose(white.T @ white / 400, np.eye(9), atol=0.02)


def test_the_data_stay_as_they_are():
    generator = image.ImageDataGenerator(rescale=2.0, samplewise_center=True)
    before = IMAGES.copy()
    generator.fit(IMAGES)
    x, y = next(generator.flow(IMAGES, LABELS, shuffle=False))
    np.testing.assert_array_equal(IMAGES, before)
    np.testing.assert_allclose(x.mean(axis=(1, 2, 3)), 0, atol=1e-6)
    assert y.tolist() == LABELS.tolist()


def model():
    result = keras.Sequential(
        [
            keras.Input((6, 8, 3)),
            keras.layers.Conv2D(2, 3),
            keras.layers.Flatten(),
            keras.layers.Dense(3, "softmax"),
        ]
    )
    result.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return result


def test_fit_evaluate_and_predict():
    generator = image.ImageDataGenerator(horizontal_flip=True, validation_split=0.34)
    flow = generator.flow(IMAGES, LABELS, batch_size=2)
    net = model()
    assert len(net.fit(flow, epochs=2, verbose=0).epoch) == 2
    net.fit(flow, steps_per_epoch=len(IMAGES) / 2, epochs=2, verbose=0, validation_data=flow)
    history = net.fit_generator(
        flow,
        samples_per_epoch=70,  # goes round: Keras 1 and 2 did not mind
        nb_epoch=2,
        validation_data=flow,
        nb_val_samples=4,
        verbose=0,
    )
    assert len(history.history["val_acc"]) == 2
    ordered = image.ImageDataGenerator().flow(IMAGES, LABELS, batch_size=4, shuffle=False)
    np.testing.assert_allclose(
        net.evaluate(ordered, verbose=0), net.evaluate(IMAGES, LABELS, verbose=0), rtol=1e-5
    )
    expected = net.predict(IMAGES, verbose=0)
    np.testing.assert_allclose(net.predict_generator(ordered), expected, rtol=1e-5)
    np.testing.assert_allclose(net.predict(ordered, steps=3, verbose=0), expected, rtol=1e-5)


def test_a_loop_has_no_end():
    flow = image.ImageDataGenerator().flow(IMAGES, LABELS, batch_size=4)
    sizes = []
    for x, _ in flow:
        sizes.append(len(x))
        if len(sizes) == 7:
            break
    assert sizes == [4, 4, 1, 4, 4, 1, 4]
    assert len(pickle.loads(pickle.dumps(flow)).next()) == 2


def test_the_words_of_keras_1():
    first = IMAGES.transpose(0, 3, 1, 2)
    flow = image.ImageDataGenerator(dim_ordering="th", rotation_range=5).flow(first)
    assert flow.nb_sample == flow.N == 9
    assert next(flow).shape == (9, 3, 6, 8)


class TestFiles:
    @pytest.fixture
    def folder(self, tmp_path):
        pytest.importorskip("PIL")
        for number, one in enumerate(IMAGES):
            place = tmp_path / "abc"[LABELS[number]]
            place.mkdir(exist_ok=True)
            image.save_img(place / f"{number}.png", one)
        return tmp_path

    def test_a_folder(self, folder, capsys):
        generator = image.ImageDataGenerator(rescale=1 / 255)
        flow = generator.flow_from_directory(
            str(folder), target_size=(6, 8), class_mode="sparse", batch_size=5, shuffle=False
        )
        assert "Found 9 images belonging to 3 classes." in capsys.readouterr().out
        assert flow.class_indices == {"a": 0, "b": 1, "c": 2} and flow.nb_class == 3
        x = np.concatenate([flow[0][0], flow[1][0]])
        y = np.concatenate([flow[0][1], flow[1][1]])
        assert y.tolist() == flow.classes.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
        expected = IMAGES[np.argsort(LABELS, kind="stable")]
        low, high = (f(expected, axis=(1, 2, 3), keepdims=True) for f in (np.min, np.max))
        np.testing.assert_allclose(x, (expected - low) / (high - low), atol=1 / 255)
        assert model().fit(flow, epochs=1, verbose=0).epoch == [0]

    def test_no_images(self, tmp_path):
        flow = image.ImageDataGenerator().flow_from_directory(tmp_path)
        with pytest.raises(ValueError, match="no images"):
            next(flow)

    def test_a_table(self, folder):
        pandas = pytest.importorskip("pandas")
        names = [f"{'abc'[label]}/{number}.png" for number, label in enumerate(LABELS)]
        table = pandas.DataFrame({"filename": names, "class": ["xyz"[one] for one in LABELS]})
        generator = image.ImageDataGenerator(brightness_range=(0.5, 1))
        flow = generator.flow_from_dataframe(table, folder, target_size=(6, 8), batch_size=3)
        x, y = next(flow)
        assert x.shape == (3, 6, 8, 3) and y.shape == (3, 3)
        for options, word in (
            ({"class_mode": "binary"}, "2 classes"),
            ({"class_mode": "nonsense"}, "class_mode"),
            ({"color_mode": "nonsense"}, "color_mode"),
        ):
            with pytest.raises(ValueError, match=word):
                generator.flow_from_dataframe(table, folder, **options)
        for options, word in (
            ({"nonsense": 1}, "nonsense"),
            ({"weight_col": "class"}, "numeric"),
            ({"class_mode": "multi_output"}, "list"),
        ):
            with pytest.raises(TypeError, match=word):
                generator.flow_from_dataframe(table, folder, **options)
