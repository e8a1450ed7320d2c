"""Layers and functions that Keras dropped, for the files and scripts that name them."""

from __future__ import annotations
