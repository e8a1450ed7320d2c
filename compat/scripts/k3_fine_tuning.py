"""Transfer learning: freeze a base, train a head, then tune all with a low rate; distillation."""
import numpy as np
import keras
from keras import layers
from keras import ops

(x_train, y_train), (x_test, y_test) = keras.datasets.cifar10.load_data()
x_train, y_train = x_train[:100], y_train[:100]


def make_base(input_shape):
    inputs = keras.Input(shape=input_shape)
    x = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False, name="stem")(inputs)
    x = layers.BatchNormalization(name="stem_bn")(x)
    x = layers.ReLU(max_value=6.0)(x)
    x = layers.ZeroPadding2D()(x)
    x = layers.DepthwiseConv2D(3, strides=2, name="depthwise")(x)
    x = layers.BatchNormalization()(x)
    return keras.Model(inputs, x, name="base")

base_model = make_base((32, 32, 3))
pretrain = keras.Sequential([base_model, layers.GlobalAveragePooling2D(), layers.Dense(10, activation="softmax")])
pretrain.compile("adam", "sparse_categorical_crossentropy")
pretrain.fit(x_train / 255.0, y_train, epochs=1, verbose=0)
base_model.trainable = False
inputs = keras.Input(shape=(32, 32, 3))
x = layers.RandomFlip("horizontal")(inputs)
x = layers.Rescaling(scale=1 / 127.5, offset=-1)(x)
# The base model contains batchnorm layers: keep them in inference mode.
x = base_model(x, training=False)
x = keras.layers.GlobalAveragePooling2D()(x)
x = keras.layers.Dropout(0.2)(x)
outputs = keras.layers.Dense(1)(x)
model = keras.Model(inputs, outputs)
model.summary(show_trainable=True)
assert len(model.trainable_weights) == 2
y = (y_train % 2 == 0).astype("float32")
model.compile(optimizer=keras.optimizers.Adam(), loss=keras.losses.BinaryCrossentropy(from_logits=True), metrics=[keras.metrics.BinaryAccuracy()])
before = base_model.get_weights()
model.fit(x_train, y, epochs=2, verbose=2)
assert all(np.array_equal(a, b) for a, b in zip(before, base_model.get_weights()))
base_model.trainable = True
for layer in base_model.layers[:2]:
    layer.trainable = False
model.compile(optimizer=keras.optimizers.Adam(1e-5), loss=keras.losses.BinaryCrossentropy(from_logits=True), metrics=[keras.metrics.BinaryAccuracy()])
model.fit(x_train, y, epochs=1, verbose=0)
stem = base_model.get_layer("stem").get_weights()[0]
assert np.array_equal(stem, before[0])
moving = base_model.get_layer("stem_bn").get_weights()[2]
assert np.array_equal(moving, before[3])  # training=False keeps the moments


class Distiller(keras.Model):
    def __init__(self, student, teacher):
        super().__init__()
        self.teacher = teacher
        self.student = student

    def compile(self, optimizer, metrics, student_loss_fn, distillation_loss_fn, alpha=0.1, temperature=3):
        super().compile(optimizer=optimizer, metrics=metrics)
        self.student_loss_fn = student_loss_fn
        self.distillation_loss_fn = distillation_loss_fn
        self.alpha = alpha
        self.temperature = temperature

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, allow_empty=False):
        teacher_pred = self.teacher(x, training=False)
        student_loss = self.student_loss_fn(y, y_pred)
        distillation_loss = self.distillation_loss_fn(
            ops.softmax(teacher_pred / self.temperature, axis=1), ops.softmax(y_pred / self.temperature, axis=1)) * (self.temperature**2)
        return self.alpha * student_loss + (1 - self.alpha) * distillation_loss

    def call(self, x):
        return self.student(x)

teacher = keras.Sequential([keras.Input((32, 32, 3)), layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(16, activation="relu"), layers.Dense(10)])
student = keras.Sequential([keras.Input((32, 32, 3)), layers.Rescaling(1 / 255), layers.AveragePooling2D(8), layers.Flatten(), layers.Dense(10)])
student_scratch = keras.models.clone_model(student)
teacher.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=[keras.metrics.SparseCategoricalAccuracy()])
teacher.fit(x_train, y_train, epochs=2, verbose=0)
distiller = Distiller(student=student, teacher=teacher)
distiller.compile(optimizer=keras.optimizers.Adam(1e-2), metrics=[keras.metrics.SparseCategoricalAccuracy()],
                  student_loss_fn=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
                  distillation_loss_fn=keras.losses.KLDivergence(), alpha=0.1, temperature=10)
h = distiller.fit(x_train, y_train, epochs=3)
assert h.history["loss"][-1] < h.history["loss"][0]
print(distiller.evaluate(x_test, y_test))
