"""Whole processes: import, and the first trained result from process start."""

from peers import IMPORTS

ORDER = 100
VARIANTS = {"import": {"task": "import"}, "first-result": {"task": "first"}}

FIRST = """
import numpy as np
rng = np.random.default_rng(0)
x = rng.normal(size=(768, 8)).astype("float32")
y = (x[:, :1] > 0).astype("float32")
model = keras.Sequential([
    keras.Input((8,)),
    keras.layers.Dense(12, activation="relu"),
    keras.layers.Dense(8, activation="relu"),
    keras.layers.Dense(1, activation="sigmoid"),
])
model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
model.fit(x, y, batch_size=10, verbose=0)
model.predict(x[:1], verbose=0)
"""


def variant(task: str) -> dict:
    def script(peer: str) -> str | None:
        if task == "import":
            return IMPORTS[peer]
        return IMPORTS[peer] + FIRST if "keras" in IMPORTS[peer] else None

    title = {
        "import": "Importing, in a new process (the floor imports NumPy alone)",
        "first": "From process start to a tiny MLP trained for an epoch and one row predicted",
    }[task]
    return {"TITLE": title, "KIND": "process", "UNIT": "process", "script": script}
