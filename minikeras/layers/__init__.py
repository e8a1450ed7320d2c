"""`keras.layers`: every layer, one file a family."""

import sys
from importlib import import_module
from typing import Any

from minikeras.engine import serialization
from minikeras.engine.input_spec import InputSpec
from minikeras.engine.layer import Layer
from minikeras.engine.spelling import answer_calls, older_names
from minikeras.layers.advanced_activations import ELU, LeakyReLU, PReLU, ReLU, Softmax
from minikeras.layers.attention import AdditiveAttention, Attention, MultiHeadAttention
from minikeras.layers.convolutional import (
    Conv1D,
    Conv1DTranspose,
    Conv2D,
    Conv2DTranspose,
    Conv3D,
    Conv3DTranspose,
)
from minikeras.layers.convolutional import Conv1D as Convolution1D
from minikeras.layers.convolutional import Conv1DTranspose as Convolution1DTranspose
from minikeras.layers.convolutional import Conv2DTranspose as Convolution2DTranspose
from minikeras.layers.convolutional import Conv3DTranspose as Convolution3DTranspose
from minikeras.layers.convolutional_recurrent import ConvLSTM1D, ConvLSTM2D, ConvLSTM3D
from minikeras.layers.core import Activation, Dense, Identity, Input, InputLayer, Masking
from minikeras.layers.einsum_dense import EinsumDense
from minikeras.layers.embeddings import Embedding, ReversibleEmbedding
from minikeras.layers.grouped_query_attention import GroupedQueryAttention as GroupQueryAttention
from minikeras.layers.merge import (
    Add,
    Average,
    Concatenate,
    Dot,
    Maximum,
    Minimum,
    Multiply,
    Subtract,
    add,
    average,
    concatenate,
    dot,
    maximum,
    minimum,
    multiply,
    subtract,
)
from minikeras.layers.noise import (
    ActivityRegularization,
    AlphaDropout,
    Dropout,
    GaussianDropout,
    GaussianNoise,
    SpatialDropout1D,
    SpatialDropout2D,
    SpatialDropout3D,
)
from minikeras.layers.normalization import (
    BatchNormalization,
    GroupNormalization,
    LayerNormalization,
    RMSNormalization,
    UnitNormalization,
)
from minikeras.layers.pooling import (
    AdaptiveAveragePooling1D,
    AdaptiveAveragePooling2D,
    AdaptiveAveragePooling3D,
    AdaptiveMaxPooling1D,
    AdaptiveMaxPooling2D,
    AdaptiveMaxPooling3D,
    AveragePooling1D,
    AveragePooling2D,
    AveragePooling3D,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalAveragePooling3D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    GlobalMaxPooling3D,
    MaxPooling1D,
    MaxPooling2D,
    MaxPooling3D,
)
from minikeras.layers.pooling import AveragePooling1D as AvgPool1D
from minikeras.layers.pooling import AveragePooling2D as AvgPool2D
from minikeras.layers.pooling import AveragePooling3D as AvgPool3D
from minikeras.layers.pooling import GlobalAveragePooling1D as GlobalAvgPool1D
from minikeras.layers.pooling import GlobalAveragePooling2D as GlobalAvgPool2D
from minikeras.layers.pooling import GlobalAveragePooling3D as GlobalAvgPool3D
from minikeras.layers.pooling import GlobalMaxPooling1D as GlobalMaxPool1D
from minikeras.layers.pooling import GlobalMaxPooling2D as GlobalMaxPool2D
from minikeras.layers.pooling import GlobalMaxPooling3D as GlobalMaxPool3D
from minikeras.layers.pooling import MaxPooling1D as MaxPool1D
from minikeras.layers.pooling import MaxPooling2D as MaxPool2D
from minikeras.layers.pooling import MaxPooling3D as MaxPool3D
from minikeras.layers.preprocessing.category_encoding import CategoryEncoding, Discretization
from minikeras.layers.preprocessing.colors import (
    RandomBrightness,
    RandomColorDegeneration,
    RandomColorJitter,
    RandomContrast,
    RandomGrayscale,
    RandomHue,
    RandomSaturation,
)
from minikeras.layers.preprocessing.geometric import (
    RandomElasticTransform,
    RandomFlip,
    RandomPerspective,
    RandomRotation,
    RandomShear,
    RandomTranslation,
    RandomZoom,
)
from minikeras.layers.preprocessing.hashing import HashedCrossing, Hashing
from minikeras.layers.preprocessing.image_effects import (
    AutoContrast,
    ContrastLimitedAdaptiveHistogramEqualization,
    Equalization,
    RandomGaussianBlur,
    RandomInvert,
    RandomPosterization,
    RandomSharpness,
    Solarization,
)
from minikeras.layers.preprocessing.image_layer import MaxNumBoundingBoxes, Pipeline
from minikeras.layers.preprocessing.index_lookup import IntegerLookup, StringLookup
from minikeras.layers.preprocessing.mixing import AugMix, CutMix, MixUp, RandAugment, RandomErasing
from minikeras.layers.preprocessing.normalization import Normalization, Rescaling
from minikeras.layers.preprocessing.resizing import CenterCrop, RandomCrop, Resizing
from minikeras.layers.preprocessing.spectrograms import MelSpectrogram, STFTSpectrogram
from minikeras.layers.preprocessing.text_vectorization import TextVectorization
from minikeras.layers.recurrent import GRU, LSTM, SimpleRNN
from minikeras.layers.recurrent_cells import GRUCell, LSTMCell, SimpleRNNCell, StackedRNNCells
from minikeras.layers.reshaping import Flatten, Lambda, Permute, RepeatVector, Reshape
from minikeras.layers.rnn import RNN
from minikeras.layers.separable import (
    DepthwiseConv1D,
    DepthwiseConv2D,
    SeparableConv1D,
    SeparableConv2D,
)
from minikeras.layers.separable import SeparableConv1D as SeparableConvolution1D
from minikeras.layers.spatial import (
    Cropping1D,
    Cropping2D,
    Cropping3D,
    UpSampling1D,
    UpSampling2D,
    UpSampling3D,
    ZeroPadding1D,
    ZeroPadding2D,
    ZeroPadding3D,
)
from minikeras.layers.wrappers import Bidirectional, SpectralNormalization, TimeDistributed, Wrapper

__all__ = [
    "ELU",
    "GRU",
    "LSTM",
    "RNN",
    "Activation",
    "ActivityRegularization",
    "AdaptiveAveragePooling1D",
    "AdaptiveAveragePooling2D",
    "AdaptiveAveragePooling3D",
    "AdaptiveMaxPooling1D",
    "AdaptiveMaxPooling2D",
    "AdaptiveMaxPooling3D",
    "Add",
    "AdditiveAttention",
    "AlphaDropout",
    "Attention",
    "AugMix",
    "AutoContrast",
    "Average",
    "AveragePooling1D",
    "AveragePooling2D",
    "AveragePooling3D",
    "AvgPool1D",
    "AvgPool2D",
    "AvgPool3D",
    "BatchNormalization",
    "Bidirectional",
    "CategoryEncoding",
    "CenterCrop",
    "Concatenate",
    "ContrastLimitedAdaptiveHistogramEqualization",
    "Conv1D",
    "Conv1DTranspose",
    "Conv2D",
    "Conv2DTranspose",
    "Conv3D",
    "Conv3DTranspose",
    "ConvLSTM1D",
    "ConvLSTM2D",
    "ConvLSTM3D",
    "Convolution1D",
    "Convolution1DTranspose",
    "Convolution2D",
    "Convolution2DTranspose",
    "Convolution3D",
    "Convolution3DTranspose",
    "Cropping1D",
    "Cropping2D",
    "Cropping3D",
    "CutMix",
    "Dense",
    "DepthwiseConv1D",
    "DepthwiseConv2D",
    "Discretization",
    "Dot",
    "Dropout",
    "EinsumDense",
    "Embedding",
    "Equalization",
    "Flatten",
    "GRUCell",
    "GaussianDropout",
    "GaussianNoise",
    "GlobalAveragePooling1D",
    "GlobalAveragePooling2D",
    "GlobalAveragePooling3D",
    "GlobalAvgPool1D",
    "GlobalAvgPool2D",
    "GlobalAvgPool3D",
    "GlobalMaxPool1D",
    "GlobalMaxPool2D",
    "GlobalMaxPool3D",
    "GlobalMaxPooling1D",
    "GlobalMaxPooling2D",
    "GlobalMaxPooling3D",
    "GroupNormalization",
    "GroupQueryAttention",
    "HashedCrossing",
    "Hashing",
    "Identity",
    "Input",
    "InputLayer",
    "InputSpec",
    "IntegerLookup",
    "LSTMCell",
    "Lambda",
    "Layer",
    "LayerNormalization",
    "LeakyReLU",
    "Masking",
    "MaxNumBoundingBoxes",
    "MaxPool1D",
    "MaxPool2D",
    "MaxPool3D",
    "MaxPooling1D",
    "MaxPooling2D",
    "MaxPooling3D",
    "Maximum",
    "MelSpectrogram",
    "Minimum",
    "MixUp",
    "MultiHeadAttention",
    "Multiply",
    "Normalization",
    "PReLU",
    "Permute",
    "Pipeline",
    "RMSNormalization",
    "RandAugment",
    "RandomBrightness",
    "RandomColorDegeneration",
    "RandomColorJitter",
    "RandomContrast",
    "RandomCrop",
    "RandomElasticTransform",
    "RandomErasing",
    "RandomFlip",
    "RandomGaussianBlur",
    "RandomGrayscale",
    "RandomHue",
    "RandomInvert",
    "RandomPerspective",
    "RandomPosterization",
    "RandomRotation",
    "RandomSaturation",
    "RandomSharpness",
    "RandomShear",
    "RandomTranslation",
    "RandomZoom",
    "ReLU",
    "RepeatVector",
    "Rescaling",
    "Reshape",
    "Resizing",
    "ReversibleEmbedding",
    "STFTSpectrogram",
    "SeparableConv1D",
    "SeparableConv2D",
    "SeparableConvolution1D",
    "SeparableConvolution2D",
    "SimpleRNN",
    "SimpleRNNCell",
    "Softmax",
    "Solarization",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
    "SpectralNormalization",
    "StackedRNNCells",
    "StringLookup",
    "Subtract",
    "TextVectorization",
    "TimeDistributed",
    "UnitNormalization",
    "UpSampling1D",
    "UpSampling2D",
    "UpSampling3D",
    "Wrapper",
    "ZeroPadding1D",
    "ZeroPadding2D",
    "ZeroPadding3D",
    "add",
    "average",
    "concatenate",
    "deserialize",
    "dot",
    "maximum",
    "minimum",
    "multiply",
    "serialize",
    "subtract",
]


def serialize(layer: Layer) -> dict:
    """The config of a layer: its class, its `get_config()`, and where the class is from.

    Args:
        layer: The layer.
    """
    return serialization.serialize(layer)


def deserialize(config: dict, custom_objects: dict | None = None) -> Layer:
    """The layer that a config describes.

    Args:
        config: What `serialize` returned.
        custom_objects: dict of your own classes and functions by name.

    Raises:
        ValueError: if `config` describes something else.

    Example:

    >>> import minikeras
    >>> config = minikeras.layers.serialize(minikeras.layers.Dense(3))
    >>> minikeras.layers.deserialize(config).units
    3
    """
    layer = serialization.deserialize(config, None, custom_objects)
    if not isinstance(layer, Layer):
        raise ValueError(
            "Argument `config` must be the config of a layer, as `layers.serialize` returns it."
            f" Received: config={config}"
        )
    return layer


__getattr__ = older_names("layers", globals())

# In Keras 1 and 2 these modules had other layers too.
for _name in (
    "advanced_activations convolutional core embeddings merge noise normalization pooling recurrent"
    " wrappers"
).split():
    vars(sys.modules[f"{__name__}.{_name}"]).setdefault("__getattr__", __getattr__)


def _merge(*args: Any, **kwargs: Any) -> Any:
    return import_module("minikeras.dialects.constructors").merge(*args, **kwargs)


# The module `layers.merge` was a function in Keras 1.
answer_calls(f"{__name__}.merge", _merge)
