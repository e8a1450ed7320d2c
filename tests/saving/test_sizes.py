"""Sizes in configurations of strangers: no layer allocates what one claims."""

import json
import tracemalloc
import warnings

import pytest

import minikeras as keras

# Layers by the shape of an input that they take; and each of their arguments that is a size, with
# how many numbers it takes.
LAYERS = {
    (3,): {
        "Dense": {"units": 1},
        "RepeatVector": {"n": 1},
        "Discretization": {"num_bins": 1},
        "CategoryEncoding": {"num_tokens": 1},
        "Hashing": {"num_bins": 1},
        "Embedding": {"input_dim": 1, "output_dim": 1},
        "Reshape": {"target_shape": 2},
        "TextVectorization": {"max_tokens": 1, "output_sequence_length": 1},
        "IntegerLookup": {"max_tokens": 1, "num_oov_indices": 1},
        "StringLookup": {"max_tokens": 1, "num_oov_indices": 1},
    },
    (8,): {"MelSpectrogram": {"fft_length": 1, "num_mel_bins": 1, "sequence_stride": 1}},
    (8, 1): {"STFTSpectrogram": {"fft_length": 1, "frame_length": 1, "frame_step": 1}},
    (8, 2): {
        "SimpleRNN": {"units": 1},
        "LSTM": {"units": 1},
        "GRU": {"units": 1},
        "EinsumDense": {"output_shape": 2},
        "Conv1D": {"filters": 1, "kernel_size": 1, "strides": 1, "dilation_rate": 1},
        "Conv1DTranspose": {"filters": 1, "kernel_size": 1, "strides": 1, "output_padding": 1},
        "SeparableConv1D": {"filters": 1, "kernel_size": 1, "depth_multiplier": 1},
        "DepthwiseConv1D": {"kernel_size": 1, "depth_multiplier": 1},
        "UpSampling1D": {"size": 1},
        "ZeroPadding1D": {"padding": 1},
        "MaxPooling1D": {"pool_size": 1, "strides": 1},
    },
    (8, 8, 2): {
        "Conv2D": {"filters": 1, "kernel_size": 2, "strides": 2, "dilation_rate": 2},
        "Conv2DTranspose": {"filters": 1, "kernel_size": 2, "strides": 2, "output_padding": 2},
        "SeparableConv2D": {"filters": 1, "kernel_size": 2, "depth_multiplier": 1},
        "DepthwiseConv2D": {"kernel_size": 2, "depth_multiplier": 1},
        "ConvLSTM1D": {"filters": 1, "kernel_size": 1, "dilation_rate": 1},
        "UpSampling2D": {"size": 2},
        "ZeroPadding2D": {"padding": 2},
        "AveragePooling2D": {"pool_size": 2, "strides": 2},
        "AdaptiveAveragePooling2D": {"output_size": 2},
        "Resizing": {"height": 1, "width": 1},
        "RandomCrop": {"height": 1, "width": 1},
        "GroupNormalization": {"groups": 1},
    },
    (8, 8, 8, 2): {
        "Conv3D": {"filters": 1, "kernel_size": 3},
        "Conv3DTranspose": {"filters": 1, "kernel_size": 3, "strides": 3},
        "ConvLSTM2D": {"filters": 1, "kernel_size": 2, "dilation_rate": 2},
        "UpSampling3D": {"size": 3},
    },
    (2, 8, 8, 8, 2): {"ConvLSTM3D": {"filters": 1, "kernel_size": 3, "dilation_rate": 3}},
}  # fmt: skip
SMALL = {
    "units": 2, "filters": 2, "kernel_size": 3, "n": 2,
    "num_tokens": 2, "num_bins": 2, "input_dim": 2, "output_dim": 2, "height": 2, "width": 2,
    "output_size": 2, "fft_length": 8, "frame_length": 8, "frame_step": 4, "sequence_stride": 4,
    "num_mel_bins": 4, "groups": 2, "size": 2, "padding": 1, "pool_size": 2,
}  # fmt: skip
EXTRA = {
    "EinsumDense": {"equation": "abc,cd->abd", "output_shape": [None, 2]},
    "Reshape": {"target_shape": [3, 1]},
    "STFTSpectrogram": {"mode": "magnitude"},
}
CASES = [
    (name, shape, argument, count)
    for shape, layers in LAYERS.items()
    for name, arguments in layers.items()
    for argument, count in arguments.items()
]


def text(name, shape, **arguments):
    needed = LAYERS[shape][name]
    config = {one: SMALL[one] for one in needed if one in SMALL} | EXTRA.get(name, {}) | arguments
    first = {"batch_shape": [None, *shape], "dtype": "float32", "name": "x"}
    layers = [
        {"module": "keras.layers", "class_name": one, "registered_name": None, "config": inner}
        for one, inner in (("InputLayer", first), (name, config))
    ]
    return json.dumps(
        {"module": "keras", "class_name": "Sequential", "config": {"name": "s", "layers": layers}}
    )


@pytest.mark.parametrize(("name", "shape", "argument", "count"), CASES)
def test_claimed_sizes_are_not_allocated(name, shape, argument, count):
    keras.models.model_from_json(text(name, shape))  # what is imported and kept is not meant here
    for size in (300, 2_000, 5_000, 10**6, 2**31, 10**15):
        value = [size] * count if count > 1 else size
        tracemalloc.start()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                keras.models.model_from_json(text(name, shape, **{argument: value}))
            except ValueError:
                pass
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 32 * 2**20, f"{argument}={value} took {peak:,} bytes"
