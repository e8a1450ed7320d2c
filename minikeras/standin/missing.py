"""What there is of Keras and TensorFlow that minikeras does not have, and what to do without."""

from __future__ import annotations

_RAGGED = "it has no ragged tensors: pad to one length (`keras.utils.pad_sequences`)."
_SPARSE = "it has no sparse tensors: use dense arrays."
_RECORDS = (
    "it does not read or write TFRecords. Keep data in `.npz` files and read them with"
    " `numpy.load` and `tf.data.Dataset.from_tensor_slices`."
)
_COLUMNS = (
    "feature columns need TensorFlow (and were removed from its guides). Use the preprocessing"
    " layers: Normalization, Discretization, CategoryEncoding, StringLookup, HashedCrossing."
)
GRAPH = (
    "it has no sessions or graphs of TensorFlow 1: operations compute at once. Call the model or"
    " the function on arrays, and drop the session."
)
_CHECKPOINT = (
    "it does not write TensorFlow's checkpoints. Use `model.save_weights('name.weights.h5')` and"
    " `load_weights`, or the callbacks ModelCheckpoint and BackupAndRestore."
)
_SAVED_MODEL = (
    "it does not read or write TensorFlow's SavedModel format. Use `model.save('name.keras')` and"
    " `keras.models.load_model`."
)
_SUMMARY = (
    "of summaries it has `create_file_writer`, `scalar`, `histogram`, `image` and `text`. Otherwise"
    " use the callback `keras.callbacks.TensorBoard`."
)
_LOOKUP = "it has other lookup tables. Use the layers `StringLookup` and `IntegerLookup`."
_INTERNAL = "what is inside TensorFlow is not there. Use the public name."

# Longest prefix counts. `tf` is any way to TensorFlow, `keras` any way to Keras.
REASONS: dict[str, str] = {
    "tf.RaggedTensor": _RAGGED,
    "tf.RaggedTensorSpec": _RAGGED,
    "tf.ragged": _RAGGED,
    "tf.SparseTensor": _SPARSE,
    "tf.SparseTensorSpec": _SPARSE,
    "tf.sparse": _SPARSE,
    "tf.data.TFRecordDataset": _RECORDS,
    "tf.io.TFRecordWriter": _RECORDS,
    "tf.io.TFRecordOptions": _RECORDS,
    "tf.io.FixedLenFeature": _RECORDS,
    "tf.io.VarLenFeature": _RECORDS,
    "tf.io.parse_example": _RECORDS,
    "tf.io.parse_single_example": _RECORDS,
    "tf.io.parse_single_sequence_example": _RECORDS,
    "tf.io.parse_tensor": _RECORDS,
    "tf.io.serialize_tensor": _RECORDS,
    "tf.io.serialize_sparse": _SPARSE,
    "tf.io.decode_proto": _RECORDS,
    "tf.python_io": _RECORDS,
    "tf.train.load_checkpoint": _CHECKPOINT,
    "tf.train.Saver": _CHECKPOINT,
    "tf.train.Example": _RECORDS,
    "tf.train.SequenceExample": _RECORDS,
    "tf.train.Feature": _RECORDS,
    "tf.train.Features": _RECORDS,
    "tf.train.FeatureList": _RECORDS,
    "tf.train.FeatureLists": _RECORDS,
    "tf.train.BytesList": _RECORDS,
    "tf.train.FloatList": _RECORDS,
    "tf.train.Int64List": _RECORDS,
    "tf.train.AdamOptimizer": "the optimizers of TensorFlow 1 are not there. Use"
    " `keras.optimizers.Adam`.",
    "tf.train.GradientDescentOptimizer": "the optimizers of TensorFlow 1 are not there. Use"
    " `keras.optimizers.SGD`.",
    "tf.train.RMSPropOptimizer": "the optimizers of TensorFlow 1 are not there. Use"
    " `keras.optimizers.RMSprop`.",
    "tf.feature_column": _COLUMNS,
    "tf.estimator": "estimators need TensorFlow (which has dropped them too). Use the Keras model"
    " itself.",
    "tf.lite": "converting to TensorFlow Lite needs TensorFlow. minikeras itself runs where Python"
    " and NumPy do.",
    "tf.saved_model": _SAVED_MODEL,
    "tf.distribute": "it runs in one process. `MirroredStrategy`, `OneDeviceStrategy` and"
    " `get_strategy` are there, as strategies of one replica.",
    "tf.tpu": "it runs on CPUs.",
    "tf.xla": "it does not compile.",
    "tf.summary": _SUMMARY,
    "tf.profiler": "it has no profiler. Use `cProfile`.",
    "tf.lookup": _LOOKUP,
    "tf.raw_ops": _INTERNAL,
    "tf.python": _INTERNAL,
    "tf.core": _INTERNAL,
    "tf.contrib": "`contrib` left TensorFlow with its version 2. Look for today's name.",
    "tf.examples": "TensorFlow's examples are not there. For MNIST: `keras.datasets.mnist`.",
    "tf.autograph": "functions run as they are written: nothing is converted to graphs.",
    "tf.queue": "it has no queues. Use `tf.data.Dataset` or Python's `queue`.",
    "tf.sets": _SPARSE,
    "tf.placeholder": GRAPH,
    "tf.placeholder_with_default": GRAPH,
    "tf.get_variable": GRAPH,
    "tf.get_default_session": GRAPH,
    "tf.variable_scope": GRAPH,
    "tf.layers": "`tf.layers` left TensorFlow with its version 2. Use `keras.layers`.",
    "tf.gradients": "gradients of graphs are not there. Use `tf.GradientTape`.",
    "tf.hessians": "second derivatives are not there.",
    "tf.autodiff": "forward-mode derivatives are not there. Use `tf.GradientTape`.",
    "tf.make_tensor_proto": _INTERNAL,
    "tf.make_ndarray": _INTERNAL,
    "tf.quantization": "it does not quantize in TensorFlow's way.",
    "tf.mlir": _INTERNAL,
    "tf.sysconfig": "there is no TensorFlow library to link with.",
    "tf.load_op_library": "there is no TensorFlow to load operations into.",
    "tf.app": "`tf.app` left TensorFlow with its version 2. Use `argparse`.",
    "tf.flags": "`tf.flags` left TensorFlow with its version 2. Use `argparse`.",
    "keras.estimator": "estimators need TensorFlow. Use the model itself.",
}


def normalized(name: str) -> str:
    """A dotted name with `tf` or `keras` for its way to TensorFlow or Keras."""
    from minikeras.standin.finder import _BY_LENGTH

    for prefix in _BY_LENGTH:
        if name == prefix or name.startswith(prefix + "."):
            return "keras" + name[len(prefix) :]
    for prefix in ("tensorflow.compat.v1", "tensorflow.compat.v2", "tensorflow"):
        if name == prefix or name.startswith(prefix + "."):
            return "tf" + name[len(prefix) :]
    return name


def reason(name: str) -> str | None:
    """Why a name is not there and what to do, if that is known."""
    path = normalized(name)
    while path:
        if path in REASONS:
            return REASONS[path]
        path = path.rpartition(".")[0]
    return None
