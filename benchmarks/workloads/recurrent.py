"""Recurrent networks on sequences of tokens."""

import numpy as np
from floors import arrays, epoch_of

ORDER = 50
ROWS, STEPS, WORDS, WIDTH, UNITS, BATCH = 512, 80, 10000, 128, 128, 32
VARIANTS = {
    "lstm": {"kind": "LSTM"},
    "gru": {"kind": "GRU"},
    "bidirectional-lstm": {"kind": "LSTM", "bidirectional": True},
    "stacked-lstm": {"kind": "LSTM", "depth": 2},
}


def recurrent_floor(gates: int, fan_in: int) -> list:
    """The products of one layer's step: all inputs at once, then time step by time step."""
    x, w, z, dz, dw, dx = arrays(
        (BATCH * STEPS, fan_in), (fan_in, gates * UNITS), (BATCH * STEPS, gates * UNITS),
        (BATCH * STEPS, gates * UNITS), (fan_in, gates * UNITS), (BATCH * STEPS, fan_in),
    )  # fmt: skip
    h, u, g, dh, hs, du = arrays(
        (BATCH, UNITS), (UNITS, gates * UNITS), (BATCH, gates * UNITS), (BATCH, UNITS),
        (BATCH * STEPS, UNITS), (UNITS, gates * UNITS),
    )  # fmt: skip

    def step() -> None:
        np.matmul(x, w, out=z)
        for _ in range(STEPS):
            np.matmul(h, u, out=g)
            np.matmul(g, u.T, out=dh)
        np.matmul(hs.T, dz, out=du)
        np.matmul(x.T, dz, out=dw)
        np.matmul(dz, w.T, out=dx)

    return [step]


def variant(kind: str, bidirectional: bool = False, depth: int = 1) -> dict:
    def data():
        rng = np.random.default_rng(0)
        x = rng.integers(1, WORDS, (ROWS, STEPS)).astype("int32")
        return x, rng.integers(0, 2, (ROWS, 1)).astype("float32")

    def build(keras):
        layer = getattr(keras.layers, kind)
        stack = [layer(UNITS, return_sequences=True) for _ in range(depth - 1)] + [layer(UNITS)]
        if bidirectional:
            stack = [keras.layers.Bidirectional(layer) for layer in stack]
        model = keras.Sequential(
            [
                keras.Input((STEPS,), dtype="int32"),
                keras.layers.Embedding(WORDS, WIDTH),
                *stack,
                keras.layers.Dense(1, activation="sigmoid"),
            ]
        )
        model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
        return model

    def torch_parts(torch):
        nn = torch.nn

        class Network(nn.Module):
            def __init__(self):
                super().__init__()
                self.embedding = nn.Embedding(WORDS, WIDTH)
                self.recurrent = getattr(nn, kind)(
                    WIDTH, UNITS, depth, batch_first=True, bidirectional=bidirectional
                )
                self.dense = nn.Linear(UNITS * (2 if bidirectional else 1), 1)

            def forward(self, x):
                y, _ = self.recurrent(self.embedding(x))
                if bidirectional:
                    return self.dense(torch.cat([y[:, -1, :UNITS], y[:, 0, UNITS:]], -1))
                return self.dense(y[:, -1])

        model = Network()
        optimizer = torch.optim.Adam(model.parameters())
        return model, nn.BCEWithLogitsLoss(), optimizer, lambda x, y: (x, y)

    def floor():
        gates = 4 if kind == "LSTM" else 3
        layers = recurrent_floor(gates, WIDTH) * (2 if bidirectional else 1)
        return epoch_of(ROWS // BATCH, layers + recurrent_floor(gates, UNITS) * (depth - 1))

    name = ("bidirectional " if bidirectional else "") + (f"{depth} stacked " if depth > 1 else "")
    return {
        "TITLE": f"{ROWS} x {STEPS} tokens, Embedding {WORDS}x{WIDTH}, {name}{kind} {UNITS}, "
        f"batch {BATCH}, adam",
        "KIND": "fit",
        "UNIT": "epoch",
        "BATCH": BATCH,
        "EPOCHS": 1,
        "data": data,
        "build": build,
        "torch_parts": torch_parts,
        "floor": floor,
    }
