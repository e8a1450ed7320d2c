"""The text of `summary()`; `compat` compares it with Keras's own."""

import pytest

import minikeras as keras
from minikeras import layers


def text(model, **options):
    lines = []
    model.summary(print_fn=lines.append, **options)
    return "".join(lines)


@pytest.fixture
def model():
    keras.utils.clear_session()
    return keras.Sequential([layers.Dense(4, input_shape=(3,)), layers.Dense(1)])


def test_cells_and_totals(model):
    assert text(model, line_length=60) == "\n".join(
        [
            'Model: "sequential"',
            "┏━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━┓",
            "┃ Layer (type)             ┃ Output Shape      ┃   Param # ┃",
            "┡━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━┩",
            "│ dense (Dense)            │ (None, 4)         │        16 │",
            "├──────────────────────────┼───────────────────┼───────────┤",
            "│ dense_1 (Dense)          │ (None, 1)         │         5 │",
            "└──────────────────────────┴───────────────────┴───────────┘",
            " Total params: 21 (84.00 B)",
            " Trainable params: 21 (84.00 B)",
            " Non-trainable params: 0 (0.00 B)",
            "",
        ]
    )


def test_optimizer_and_frozen_parameters_are_counted(model):
    model.layers[0].trainable = False
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    found = text(model)
    assert " Trainable params: 5 (20.00 B)" in found
    assert " Non-trainable params: 16 (64.00 B)" in found
    assert " Optimizer params: 12 (52.00 B)" in found


def test_nested_models_expand(model):
    outer = keras.Sequential([model, layers.Dense(1, name="top")])
    assert "└ dense (Dense)" not in text(outer)
    assert "└ dense (Dense)" in text(outer, expand_nested=True)


def test_trainable_column(model):
    model.layers[0].trainable = False
    lines = [line for line in text(model, show_trainable=True).splitlines() if "Dense" in line]
    assert [line.split("│")[-2].strip() for line in lines] == ["N", "Y"]


def test_layer_range(model):
    assert "dense (Dense)" not in text(model, layer_range=["dense_1", "dense_1"])
    with pytest.raises(ValueError, match="do not match"):
        text(model, layer_range=["x", "y"])


def test_lines_that_are_too_short(model):
    with pytest.raises(ValueError, match="too short"):
        text(model, line_length=8)
