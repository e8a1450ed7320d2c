"""`predict` and `evaluate` of models of the other workloads."""

import numpy as np

ORDER = 80
# Rows, and the workload whose model predicts.
SIZES = {"tiny-mlp": [8, 12, 8, 1], "mlp-adam-128": [784, 512, 512, 10]}
VARIANTS = {
    "predict-tiny-1": {"model": "tiny-mlp", "rows": 1},
    **{f"predict-mlp-{rows}": {"model": "mlp-adam-128", "rows": rows} for rows in (1, 32, 10000)},
    **{f"predict-cnn-{rows}": {"model": "cnn-28x28", "rows": rows} for rows in (1, 32, 10000)},
    **{f"predict-lstm-{rows}": {"model": "lstm", "rows": rows} for rows in (1, 32, 2000)},
    "evaluate-mlp-10000": {"model": "mlp-adam-128", "rows": 10000, "method": "evaluate"},
}


def variant(model: str, rows: int, method: str = "predict") -> dict:
    from workloads import load

    base = load(model)

    def inputs():
        x, y = base.data()
        repeats = -(-rows // len(x))
        x, y = np.concatenate([x] * repeats)[:rows], np.concatenate([y] * repeats)[:rows]
        return np.ascontiguousarray(x), y

    def call(keras):
        x, y = inputs()
        network = base.build(keras)
        if method == "evaluate":
            return lambda: network.evaluate(x, y, verbose=0)
        return lambda: network.predict(x, verbose=0)

    def torch_call():
        import torch

        x, y = inputs()
        network, _, _, prepare = base.torch_parts(torch)
        x, _ = prepare(torch.from_numpy(x), torch.from_numpy(y))
        network.eval()

        def run():
            with torch.inference_mode():
                return [network(part).numpy() for part in x.split(1024)]

        return run

    def onnx_call():
        import onnxruntime
        from onnx_file import dense_network

        options = onnxruntime.SessionOptions()
        session = onnxruntime.InferenceSession(
            dense_network(SIZES[model]), options, providers=["CPUExecutionProvider"]
        )
        x, _ = inputs()
        return lambda: session.run(None, {"x": x})

    def floor_call():
        from floors import arrays

        sizes = SIZES[model]
        x, *weights = arrays((rows, sizes[0]), *zip(sizes, sizes[1:]))

        def run():
            y = x
            for weight in weights:
                y = y @ weight
            return y

        return run

    offers = {"call": call}
    if method == "predict":
        offers["torch_call"] = torch_call
        if model in SIZES:
            offers.update(onnx_call=onnx_call, floor_call=floor_call)
    title = (
        f"{method} of {rows} row{'s' if rows > 1 else ''}: {base.TITLE.split(',', 1)[1].strip()}"
    )
    return {"TITLE": title, "KIND": "call", "UNIT": "call", **offers}
