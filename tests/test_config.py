"""Settings, and the files and variables they are read from."""

import json
import subprocess
import sys

import pytest

from minikeras import config


@pytest.fixture(autouse=True)
def restored():
    before = (
        config.floatx(),
        config.epsilon(),
        config.image_data_format(),
        config.max_epochs(),
        config.max_steps_per_epoch(),
    )
    yield
    config.set_floatx(before[0])
    config.set_epsilon(before[1])
    config.set_image_data_format(before[2])
    config.set_max_epochs(before[3])
    config.set_max_steps_per_epoch(before[4])


def test_setters_set():
    config.set_floatx("float64")
    config.set_epsilon(1e-5)
    config.set_image_data_format("Channels_First")
    config.set_max_epochs(3)
    config.set_max_steps_per_epoch(4)
    assert config.floatx() == "float64"
    assert config.epsilon() == 1e-5
    assert config.image_data_format() == "channels_first"
    assert config.standardize_data_format(None) == "channels_first"
    assert (config.max_epochs(), config.max_steps_per_epoch()) == (3, 4)


@pytest.mark.parametrize(
    ("setter", "value", "message"),
    [
        ("set_floatx", "int32", "int32"),
        ("set_floatx", "bfloat16", "NumPy has no bfloat16"),
        ("set_image_data_format", "last", "last"),
        ("set_backend", "jax", "jax"),
    ],
)
def test_unknown_values(setter, value, message):
    with pytest.raises(ValueError, match=message):
        getattr(config, setter)(value)


def test_switches():
    assert config.backend() == "numpy" and not config.is_nnx_enabled()
    config.set_backend("numpy")
    for name in ("interactive_logging", "traceback_filtering"):
        for wanted in ("disable", "enable"):
            getattr(config, f"{wanted}_{name}")()
            assert getattr(config, f"is_{name}_enabled")() is (wanted == "enable")
    config.disable_flash_attention()
    assert config.is_flash_attention_enabled() is False
    config.enable_flash_attention()
    assert config.is_flash_attention_enabled() is None


def in_new_process(tmp_path, settings=None, **environment):
    """Returns what a new process finds the settings to be."""
    if settings is not None:
        text = settings if isinstance(settings, str) else json.dumps(settings)
        (tmp_path / "keras.json").write_text(text)
    code = (
        "from minikeras import config as c; import json; print(json.dumps([c.floatx(), c.epsilon(),"
        "c.image_data_format(), c.backend(), c.max_epochs(), c.max_steps_per_epoch()]))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={"KERAS_HOME": str(tmp_path), "PATH": "", **environment},
        capture_output=True,
        text=True,
    )
    if run.returncode:
        raise ValueError(run.stderr)
    return json.loads(run.stdout)


DEFAULTS = ["float32", 1e-7, "channels_last", "numpy", None, None]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (None, DEFAULTS),
        ("no json", DEFAULTS),
        (
            {"floatx": "float64", "epsilon": 1e-6, "image_data_format": "channels_first"},
            ["float64", 1e-6, "channels_first", "numpy", None, None],
        ),
        # As Keras 1 wrote it.
        (
            {
                "image_dim_ordering": "th",
                "epsilon": 1e-07,
                "floatx": "float32",
                "backend": "theano",
            },
            ["float32", 1e-7, "channels_first", "numpy", None, None],
        ),
    ],
)
def test_the_settings_file_of_keras(tmp_path, settings, expected):
    assert in_new_process(tmp_path, settings) == expected
    assert len(list(tmp_path.iterdir())) == (settings is not None)  # nothing is written


def test_a_settings_file_with_unknown_values(tmp_path):
    with pytest.raises(ValueError, match=r"keras\.json.*float8"):
        in_new_process(tmp_path, {"floatx": "float8"})


def test_limits_from_the_environment(tmp_path):
    found = in_new_process(tmp_path, KERAS_MAX_EPOCHS="2", KERAS_MAX_STEPS_PER_EPOCH="3")
    assert found[4:] == [2, 3]
    with pytest.raises(ValueError, match="KERAS_MAX_EPOCHS"):
        in_new_process(tmp_path, KERAS_MAX_EPOCHS="few")
