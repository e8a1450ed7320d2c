"""Small Transformer encoder: 512 x 64 tokens, width 64, 4 heads, 2 blocks, batch 32, adam."""

import numpy as np
from floors import arrays, epoch_of, products

ORDER = 60
KIND = "fit"
UNIT = "epoch"
BATCH = 32
EPOCHS = 1
ROWS, LENGTH, WORDS, WIDTH, HEADS, BLOCKS = 512, 64, 5000, 64, 4, 2


def data():
    rng = np.random.default_rng(0)
    x = rng.integers(1, WORDS, (ROWS, LENGTH)).astype("int32")
    return x, rng.integers(0, 2, (ROWS, 1)).astype("float32")


def build(keras):
    layers = keras.layers
    inputs = keras.Input((LENGTH,), dtype="int32")
    x = layers.Embedding(WORDS, WIDTH)(inputs)
    for _ in range(BLOCKS):
        attended = layers.MultiHeadAttention(HEADS, WIDTH // HEADS)(x, x)
        x = layers.LayerNormalization()(layers.Add()([x, attended]))
        hidden = layers.Dense(4 * WIDTH, activation="relu")(x)
        x = layers.LayerNormalization()(layers.Add()([x, layers.Dense(WIDTH)(hidden)]))
    x = layers.GlobalAveragePooling1D()(x)
    model = keras.Model(inputs, layers.Dense(1, activation="sigmoid")(x))
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    return model


def torch_parts(torch):
    nn = torch.nn

    class Encoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(WORDS, WIDTH)
            self.blocks = nn.ModuleList(
                nn.TransformerEncoderLayer(WIDTH, HEADS, 4 * WIDTH, dropout=0, batch_first=True)
                for _ in range(BLOCKS)
            )
            self.dense = nn.Linear(WIDTH, 1)

        def forward(self, x):
            x = self.embedding(x)
            for block in self.blocks:
                x = block(x)
            return self.dense(x.mean(1))

    model = Encoder()
    optimizer = torch.optim.Adam(model.parameters())
    return model, nn.BCEWithLogitsLoss(), optimizer, lambda x, y: (x, y)


def floor():
    rows, head = BATCH * LENGTH, WIDTH // HEADS
    q, k, scores = arrays(
        (BATCH, HEADS, LENGTH, head), (BATCH, HEADS, head, LENGTH), (BATCH, HEADS, LENGTH, LENGTH)
    )

    def attention() -> None:
        # Forward: scores and mix. Backward: two products for each of them.
        for _ in range(3):
            np.matmul(q, k, out=scores)
            np.matmul(scores, q)

    block = [products(rows, WIDTH, WIDTH) for _ in range(4)] + [attention]
    block += [products(rows, WIDTH, 4 * WIDTH), products(rows, 4 * WIDTH, WIDTH)]
    return epoch_of(ROWS // BATCH, block * BLOCKS)
