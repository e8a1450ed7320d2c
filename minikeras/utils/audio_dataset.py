"""WAV files in folders as a data set."""

import wave
from collections.abc import Sequence
from typing import Any

import numpy as np

from minikeras.utils.dataset import as_object_array, stacked
from minikeras.utils.folders import dataset_from_directory


def audio_dataset_from_directory(
    directory: Any,
    labels: Any = "inferred",
    label_mode: str | None = "int",
    class_names: Sequence[str] | None = None,
    batch_size: int | None = 32,
    sampling_rate: int | None = None,
    output_sequence_length: int | None = None,
    ragged: bool = False,
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    follow_links: bool = False,
    verbose: bool = True,
) -> Any:
    """Makes a data set of the `.wav` files in a folder, read as they are needed.

    Args:
        directory: The folder. With inferred labels it has one subfolder a class.
        labels: As for `image_dataset_from_directory`.
        label_mode: As for `image_dataset_from_directory`.
        class_names: As for `image_dataset_from_directory`.
        batch_size: Recordings a batch, or `None` for single recordings. Defaults to 32.
        sampling_rate: Samples a second to convert to (by Fourier resampling), or `None` to keep
            those of the file.
        output_sequence_length: Samples to cut recordings to, or to fill them up to with zeros.
            Defaults to the longest of each batch.
        ragged: Whether a batch is an object array of recordings of their own lengths.
            Defaults to `False`.
        shuffle: As for `image_dataset_from_directory`.
        seed: As for `image_dataset_from_directory`.
        validation_split: As for `image_dataset_from_directory`.
        subset: As for `image_dataset_from_directory`.
        follow_links: As for `image_dataset_from_directory`.
        verbose: As for `image_dataset_from_directory`.

    Returns:
        An iterable of `float32` arrays of shape `(batch, samples, channels)` from -1 to 1, or of
        tuples `(recordings, labels)`, with the attributes `class_names` and `file_paths`; two of
        them for `subset="both"`.

    Raises:
        ValueError: An argument is out of range, no recording is found, or one cannot be read.
    """
    if ragged and output_sequence_length is not None:
        raise ValueError("`ragged` and `output_sequence_length` cannot both be set.")
    if sampling_rate is not None and (not isinstance(sampling_rate, int) or sampling_rate <= 0):
        raise ValueError(
            "`sampling_rate` must be a whole number above 0. "
            f"Received: sampling_rate={sampling_rate!r}"
        )

    def read(path: str) -> np.ndarray:
        samples, rate = read_wav(path)
        if sampling_rate is not None and rate != sampling_rate:
            samples = _resampled(samples, round(len(samples) * sampling_rate / rate))
        if output_sequence_length is not None:
            samples = _of_length(samples, output_sequence_length)
        return samples

    def stack(recordings: list) -> np.ndarray:
        if ragged:
            return as_object_array(recordings)
        longest = max(map(len, recordings))
        return stacked([_of_length(samples, longest) for samples in recordings])

    return dataset_from_directory(
        directory,
        (".wav",),
        read,
        stack=stack,
        labels=labels,
        label_mode=label_mode,
        class_names=class_names,
        batch_size=batch_size,
        shuffle=shuffle,
        seed=seed,
        validation_split=validation_split,
        subset=subset,
        follow_links=follow_links,
        verbose=verbose,
    )


def read_wav(path: str) -> tuple[np.ndarray, int]:
    """Reads a WAV file of whole numbers: samples of shape `(samples, channels)`, and their rate."""
    try:
        with wave.open(path, "rb") as file:
            width, channels, rate = file.getsampwidth(), file.getnchannels(), file.getframerate()
            data = np.frombuffer(file.readframes(file.getnframes()), "uint8")
    except (wave.Error, EOFError) as error:
        raise ValueError(f"The recording {path} cannot be read as WAV: {error}") from error
    if width == 1:  # 8 bits are unsigned, with 128 as silence
        values = (data.astype("float32") - 128) / 128
    else:  # shifted to the top of 32 bits, so that 16, 24 and 32 bits are one case
        padded = np.zeros((len(data) // width, 4), "uint8")
        padded[:, 4 - width :] = data.reshape(-1, width)
        values = (padded.view("<i4")[:, 0] / 2**31).astype("float32")
    return values.reshape(-1, channels), rate


def _resampled(samples: np.ndarray, length: int) -> np.ndarray:
    if len(samples) == 0 or length == 0:
        return samples[:length]
    spectrum = np.fft.rfft(samples, axis=0)[: length // 2 + 1]
    scaled = np.fft.irfft(spectrum, length, axis=0) * (length / len(samples))
    return scaled.astype(samples.dtype)


def _of_length(samples: np.ndarray, length: int) -> np.ndarray:
    samples = samples[:length]
    return np.pad(samples, ((0, length - len(samples)), (0, 0)))
