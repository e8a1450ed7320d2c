"""A dense network as an ONNX file, written field by field, so that no `onnx` package is needed.

Field numbers are those of onnx.proto (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).
"""

from __future__ import annotations

import numpy as np


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def field(number: int, value: int | str | bytes) -> bytes:
    """One protobuf field: an integer, or anything that has a length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def tensor(name: str, array: np.ndarray) -> bytes:
    dims = b"".join(field(1, size) for size in array.shape)
    return dims + field(2, 1) + field(8, name) + field(9, array.astype("<f4").tobytes())


def node(kind: str, inputs: list[str], output: str) -> bytes:
    return b"".join(field(1, name) for name in inputs) + field(2, output) + field(4, kind)


def value_info(name: str, width: int) -> bytes:
    shape = field(1, field(2, "rows")) + field(1, field(1, width))
    return field(1, name) + field(2, field(1, field(1, 1) + field(2, shape)))


def dense_network(sizes: list[int], seed: int = 0) -> bytes:
    """Dense layers of `sizes` (the input's first), relu between them and softmax at the end."""
    rng = np.random.default_rng(seed)
    nodes, weights, x = [], [], "x"
    for index, (fan_in, fan_out) in enumerate(zip(sizes, sizes[1:])):
        kernel = rng.normal(size=(fan_in, fan_out)).astype("float32") / fan_in**0.5
        weights += [tensor(f"w{index}", kernel), tensor(f"b{index}", np.zeros(fan_out, "float32"))]
        nodes.append(node("Gemm", [x, f"w{index}", f"b{index}"], f"z{index}"))
        x = f"y{index}"
        nodes.append(node("Relu" if index < len(sizes) - 2 else "Softmax", [f"z{index}"], x))
    graph = b"".join(field(1, one) for one in nodes) + field(2, "dense")
    graph += b"".join(field(5, one) for one in weights)
    graph += field(11, value_info("x", sizes[0])) + field(12, value_info(x, sizes[-1]))
    return field(1, 8) + field(7, graph) + field(8, field(1, "") + field(2, 13))
