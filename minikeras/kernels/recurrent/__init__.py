"""Whole-sequence recurrences and their derivatives through time.

Each family is a pair `name(...) -> Run` and `name_backward(...) -> Gradients`.
"""

from minikeras.kernels.recurrent.gated import gru as gru
from minikeras.kernels.recurrent.gated import gru_backward as gru_backward
from minikeras.kernels.recurrent.gated import lstm as lstm
from minikeras.kernels.recurrent.gated import lstm_backward as lstm_backward
from minikeras.kernels.recurrent.gated import simple_rnn as simple_rnn
from minikeras.kernels.recurrent.gated import simple_rnn_backward as simple_rnn_backward
from minikeras.kernels.recurrent.sequence import LINEAR as LINEAR
from minikeras.kernels.recurrent.sequence import RELU as RELU
from minikeras.kernels.recurrent.sequence import SIGMOID as SIGMOID
from minikeras.kernels.recurrent.sequence import TANH as TANH
from minikeras.kernels.recurrent.sequence import Activation as Activation
from minikeras.kernels.recurrent.sequence import Gradients as Gradients
from minikeras.kernels.recurrent.sequence import Run as Run
