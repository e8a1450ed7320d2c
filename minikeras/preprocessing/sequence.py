"""Sequences: padding, windows over series, pairs of words."""

import json
import random
from collections.abc import Sequence
from typing import Any

import numpy as np

from minikeras.utils.numerical import pad_sequences
from minikeras.utils.py_dataset import PyDataset

__all__ = ["TimeseriesGenerator", "make_sampling_table", "pad_sequences", "skipgrams"]


class TimeseriesGenerator(PyDataset):
    """Batches of windows over a series; the target of a window is the step after it.

    Keras 3 has `timeseries_dataset_from_array` instead.

    Args:
        data: The series: a list or an array whose first axis is time.
        targets: What belongs to each step of `data`; of the same length.
        length: The length of the windows in steps of `data`.
        sampling_rate: Steps of `data` between the steps of a window. Defaults to 1.
        stride: Steps from a window to the next. Defaults to 1.
        start_index: Steps before this one are not used. Defaults to 0.
        end_index: Steps after this one are not used. Defaults to the last.
        shuffle: Whether windows are drawn by chance. Defaults to `False`.
        reverse: Whether the steps of a window run backwards. Defaults to `False`.
        batch_size: Windows a batch. Defaults to 128.

    Raises:
        ValueError: `data` and `targets` differ in length, or no window fits.

    Example:

    >>> import minikeras, numpy as np
    >>> series = np.arange(6)
    >>> windows = minikeras.preprocessing.sequence.TimeseriesGenerator(series, series, length=3)
    >>> x, y = windows[0]
    >>> x.tolist(), y.tolist()
    ([[0, 1, 2], [1, 2, 3], [2, 3, 4]], [3, 4, 5])
    """

    def __init__(
        self,
        data: Any,
        targets: Any,
        length: int,
        sampling_rate: int = 1,
        stride: int = 1,
        start_index: int = 0,
        end_index: int | None = None,
        shuffle: bool = False,
        reverse: bool = False,
        batch_size: int = 128,
    ) -> None:
        super().__init__()
        if len(data) != len(targets):
            raise ValueError(
                "`data` and `targets` must have one length. "
                f"Received: {len(data)} and {len(targets)}"
            )
        self.data = data
        self.targets = targets
        self.length = length
        self.sampling_rate = sampling_rate
        self.stride = stride
        self.start_index = start_index + length
        self.end_index = len(data) - 1 if end_index is None else end_index
        self.shuffle = shuffle
        self.reverse = reverse
        self.batch_size = batch_size
        if self.start_index > self.end_index:
            raise ValueError(
                f"No window fits: start_index + length = {self.start_index} is beyond "
                f"end_index = {self.end_index}."
            )

    def __len__(self) -> int:
        step = self.batch_size * self.stride
        return (self.end_index - self.start_index + step) // step

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        if self.shuffle:
            rows = np.random.randint(self.start_index, self.end_index + 1, size=self.batch_size)
        else:
            step = self.batch_size * self.stride
            first = self.start_index + step * index
            rows = np.arange(first, min(first + step, self.end_index + 1), self.stride)
        samples = np.array(
            [self.data[row - self.length : row : self.sampling_rate] for row in rows]
        )
        targets = np.array([self.targets[row] for row in rows])
        return (samples[:, ::-1] if self.reverse else samples), targets

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments; `data` and `targets` as JSON.

        `start_index` is that of the first target, as tf.keras writes it.
        """
        config = {
            name: json.dumps(value.tolist() if isinstance(value, np.ndarray) else value)
            for name, value in (("data", self.data), ("targets", self.targets))
        }
        plain = "length sampling_rate stride start_index end_index shuffle reverse batch_size"
        return config | {name: getattr(self, name) for name in plain.split()}

    def to_json(self, **kwargs: Any) -> str:
        """Returns the config as JSON. `kwargs` go to `json.dumps`."""
        return json.dumps(
            {"class_name": type(self).__name__, "config": self.get_config()}, **kwargs
        )


def make_sampling_table(size: int, sampling_factor: float = 1e-5) -> np.ndarray:
    """Returns the probability to keep the word of each rank, for `skipgrams`.

    Words are supposed to follow Zipf's law: `frequency(rank) ~ 1 / (rank * (log(rank) + gamma) +
    1/2 - 1 / (12 * rank))`, and are kept with `min(1, sqrt(sampling_factor / frequency))`.

    Args:
        size: The number of words.
        sampling_factor: The factor of word2vec. Defaults to 1e-5.

    Returns:
        An array of shape `(size,)`.

    Example:

    >>> import minikeras
    >>> minikeras.preprocessing.sequence.make_sampling_table(3).round(4)
    array([0.0032, 0.0032, 0.0055])
    """
    rank = np.maximum(np.arange(size), 1)
    inverse_frequency = rank * (np.log(rank) + 0.577) + 0.5 - 1.0 / (12.0 * rank)
    return np.minimum(1.0, np.sqrt(sampling_factor * inverse_frequency))


def skipgrams(
    sequence: Sequence[int],
    vocabulary_size: int,
    window_size: int = 4,
    negative_samples: float = 1.0,
    shuffle: bool = True,
    categorical: bool = False,
    sampling_table: Any = None,
    seed: int | None = None,
) -> tuple[list, list]:
    """Pairs each word with its neighbours (label 1), and with words drawn by chance (label 0).

    Args:
        sequence: Word numbers; 0 stands for no word and is left out.
        vocabulary_size: The largest word number plus 1.
        window_size: How far neighbours reach. Defaults to 4.
        negative_samples: Pairs by chance for each true pair. Defaults to 1.
        shuffle: Whether to shuffle the pairs. Defaults to `True`.
        categorical: Whether labels are `[0, 1]` and `[1, 0]`. Defaults to `False`.
        sampling_table: The probability to keep each word, from `make_sampling_table`.
        seed: The seed of the shuffle.

    Returns:
        `(pairs, labels)`, two lists.

    Example:

    >>> import minikeras
    >>> minikeras.preprocessing.sequence.skipgrams(
    ...     [1, 2, 3], vocabulary_size=4, window_size=1, negative_samples=0, shuffle=False
    ... )
    ([[1, 2], [2, 1], [2, 3], [3, 2]], [1, 1, 1, 1])
    """
    yes, no = ([0, 1], [1, 0]) if categorical else (1, 0)
    pairs = []
    for i, word in enumerate(sequence):
        if not word or (sampling_table is not None and sampling_table[word] < random.random()):
            continue
        for j in range(max(0, i - window_size), min(len(sequence), i + window_size + 1)):
            if j != i and sequence[j]:
                pairs.append([word, sequence[j]])
    labels: list = [yes] * len(pairs)
    if negative_samples > 0:
        count = int(len(pairs) * negative_samples)
        words = [pair[0] for pair in pairs]
        random.shuffle(words)
        pairs += [
            [words[i % len(words)], random.randint(1, int(vocabulary_size - 1))]
            for i in range(count)
        ]
        labels += [no] * count
    if shuffle:
        if seed is None:
            seed = random.randint(0, int(10e6))
        random.Random(seed).shuffle(pairs)
        random.Random(seed).shuffle(labels)
    return pairs, labels
