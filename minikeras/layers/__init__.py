"""`keras.layers`: every layer, one file a family."""

from minikeras.engine.input_spec import InputSpec
from minikeras.engine.layer import Layer
from minikeras.layers.attention import AdditiveAttention, Attention
from minikeras.layers.convolutional_recurrent import ConvLSTM1D, ConvLSTM2D, ConvLSTM3D
from minikeras.layers.core import Dense, Input, InputLayer
from minikeras.layers.grouped_query_attention import GroupedQueryAttention as GroupQueryAttention
from minikeras.layers.multi_head_attention import MultiHeadAttention
from minikeras.layers.recurrent import GRU, LSTM, SimpleRNN
from minikeras.layers.recurrent_cells import GRUCell, LSTMCell, SimpleRNNCell, StackedRNNCells
from minikeras.layers.rnn import RNN
from minikeras.layers.wrappers import Bidirectional, TimeDistributed, Wrapper

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "AdditiveAttention",
    "Attention",
    "Bidirectional",
    "ConvLSTM1D",
    "ConvLSTM2D",
    "ConvLSTM3D",
    "Dense",
    "GRUCell",
    "GroupQueryAttention",
    "Input",
    "InputLayer",
    "InputSpec",
    "LSTMCell",
    "Layer",
    "MultiHeadAttention",
    "SimpleRNN",
    "SimpleRNNCell",
    "StackedRNNCells",
    "TimeDistributed",
    "Wrapper",
]
