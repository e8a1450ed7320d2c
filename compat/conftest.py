"""Keras on TensorFlow, on the CPU and quiet, before any test imports it."""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

from hypothesis import settings

# The same examples in every run: what passes passes tomorrow.
settings.register_profile("compat", derandomize=True, deadline=None)
settings.load_profile("compat")
