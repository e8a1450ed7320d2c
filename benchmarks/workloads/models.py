"""Making, saving and loading models."""

import os
import tempfile

ORDER = 90
VARIANTS = {
    "build-50-layers": {"task": "build"},
    "save-model": {"task": "save"},
    "load-model": {"task": "load"},
}
TITLES = {
    "build": "Building and compiling a Sequential model of 50 Dense layers of 16",
    "save": "Saving that model, as `.h5`",
    "load": "Loading that model from `.h5`",
}


def variant(task: str) -> dict:
    def call(keras):
        def build():
            layers = [keras.layers.Dense(16, activation="relu") for _ in range(50)]
            model = keras.Sequential([keras.Input((16,)), *layers])
            model.compile("adam", keras.losses.MeanSquaredError())
            return model

        if task == "build":
            return build
        path = os.path.join(tempfile.mkdtemp(), "model.h5")
        model = build()
        model.save(path)
        if task == "save":
            return lambda: model.save(path)
        return lambda: keras.models.load_model(path)

    return {"TITLE": TITLES[task], "KIND": "call", "UNIT": "call", "call": call}
