"""Data sets from folders of images, texts and recordings."""

import wave

import numpy as np
import pytest

from minikeras import utils


@pytest.fixture
def texts(tmp_path):
    for name in ("a/1.txt", "a/deep/2.txt", "b/3.txt", "b/4.md", ".hidden/5.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(f"text {path.stem} ä".encode())
    return tmp_path


def test_texts(texts, capsys):
    dataset = utils.text_dataset_from_directory(texts, shuffle=False, batch_size=2)
    assert capsys.readouterr().out == "Found 3 files belonging to 2 classes.\n"
    assert dataset.class_names == ["a", "b"] and len(dataset) == 2
    batches = [(x.tolist(), y.tolist()) for x, y in dataset]
    assert batches == [(["text 1 ä", "text 2 ä"], [0, 0]), (["text 3 ä"], [1])]


def test_label_modes(texts):
    def labels(**options):
        dataset = utils.text_dataset_from_directory(
            texts, shuffle=False, verbose=False, batch_size=8, **options
        )
        ((_, found),) = dataset
        return found

    assert labels().dtype == np.int32
    binary = labels(label_mode="binary")
    assert binary.tolist() == [[0], [0], [1]] and binary.dtype == np.float32
    assert labels(label_mode="categorical").tolist() == [[1, 0], [1, 0], [0, 1]]
    assert labels(class_names=["b", "a"]).tolist() == [0, 1, 1]
    given = [5, 6, 7, 8]
    assert labels(labels=given).tolist() == given  # hidden folders count where labels are given
    (batch,) = utils.text_dataset_from_directory(texts, label_mode=None, shuffle=False)
    assert batch.shape == (4,)


def test_bytes_that_are_no_utf8_survive(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.txt").write_bytes(b"caf\xe9")
    ((batch, _),) = utils.text_dataset_from_directory(tmp_path)
    assert batch[0].encode("utf-8", "surrogateescape") == b"caf\xe9"


def test_split_parts_do_not_overlap(tmp_path):
    (tmp_path / "a").mkdir()
    for number in range(10):
        (tmp_path / "a" / f"{number}.txt").write_text("")
    options = {"validation_split": 0.3, "seed": 1, "verbose": False}
    train, validation = utils.text_dataset_from_directory(tmp_path, subset="both", **options)
    again = utils.text_dataset_from_directory(tmp_path, subset="training", **options)
    assert train.file_paths == again.file_paths
    assert (len(train.file_paths), len(validation.file_paths)) == (7, 3)
    assert not set(train.file_paths) & set(validation.file_paths)


def test_an_empty_folder(tmp_path):
    with pytest.raises(ValueError, match="No (images|text files|audio files|files) found"):
        utils.text_dataset_from_directory(tmp_path, verbose=False)


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_recordings(tmp_path, width):
    (tmp_path / "a").mkdir()
    for number, length in enumerate((4, 6)):
        with wave.open(str(tmp_path / "a" / f"{number}.wav"), "wb") as file:
            file.setparams((1, width, 8000, 0, "NONE", ""))
            half = (1 << 8 * width - 2) + (128 if width == 1 else 0)
            file.writeframes(half.to_bytes(width, "little") * length)
    options = {"label_mode": None, "shuffle": False, "verbose": False}
    (batch,) = utils.audio_dataset_from_directory(tmp_path, **options)
    assert batch.shape == (2, 6, 1) and batch.dtype == np.float32
    np.testing.assert_array_equal(batch[0, :, 0], [0.5] * 4 + [0, 0])
    (ragged,) = utils.audio_dataset_from_directory(tmp_path, ragged=True, **options)
    assert [len(samples) for samples in ragged] == [4, 6]
    (cut,) = utils.audio_dataset_from_directory(tmp_path, output_sequence_length=3, **options)
    assert cut.shape == (2, 3, 1)
    (slow,) = utils.audio_dataset_from_directory(tmp_path, sampling_rate=4000, **options)
    assert slow.shape == (2, 3, 1)
    np.testing.assert_allclose(slow[1], 0.5, atol=1e-6)  # a constant stays one


def test_resampling_keeps_a_tone(tmp_path):
    (tmp_path / "a").mkdir()
    tone = np.sin(2 * np.pi * 50 * np.arange(800) / 8000)  # whole periods
    with wave.open(str(tmp_path / "a" / "tone.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes((tone * 32000).astype("<i2").tobytes())
    ((slow, _),) = utils.audio_dataset_from_directory(tmp_path, sampling_rate=2000, verbose=False)
    expected = np.sin(2 * np.pi * 50 * np.arange(200) / 2000) * 32000 / 32768
    np.testing.assert_allclose(slow[0, :, 0], expected, atol=1e-3)  # 16 bits


def test_what_is_no_recording(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.wav").write_text("nothing")
    with pytest.raises(ValueError, match=r"x\.wav"):
        list(utils.audio_dataset_from_directory(tmp_path, verbose=False))


def test_images(tmp_path):
    pytest.importorskip("PIL", reason="needs the extra `image`")
    for name, shape in (("a/1.png", (4, 8, 3)), ("b/2.bmp", (8, 4, 3))):
        (tmp_path / name).parent.mkdir()
        utils.save_img(tmp_path / name, np.full(shape, 100.0), scale=False)
    options = {"image_size": (6, 6), "shuffle": False, "verbose": False}
    ((x, y),) = utils.image_dataset_from_directory(tmp_path, **options)
    assert x.shape == (2, 6, 6, 3) and x.dtype == np.float32 and y.tolist() == [0, 1]
    np.testing.assert_allclose(x, 100, rtol=1e-6)
    ((x, _),) = utils.image_dataset_from_directory(tmp_path, pad_to_aspect_ratio=True, **options)
    assert x[0, 0].max() == 0 and x[0, 3].min() == 100
    ((x, _),) = utils.image_dataset_from_directory(
        tmp_path, crop_to_aspect_ratio=True, color_mode="grayscale", **options
    )
    assert x.shape == (2, 6, 6, 1)
    ((x, _),) = utils.image_dataset_from_directory(
        tmp_path, data_format="channels_first", interpolation="nearest", **options
    )
    assert x.shape == (2, 3, 6, 6) and x.dtype == np.uint8
    with pytest.raises(ValueError, match="cannot both"):
        utils.image_dataset_from_directory(
            tmp_path, crop_to_aspect_ratio=True, pad_to_aspect_ratio=True
        )


def test_without_pillow_the_error_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "PIL", None)
    with pytest.raises(ImportError, match=r"minikeras\[image\]"):
        utils.load_img(tmp_path / "x.png")
