"""run_model.py - open a model, feed it, read the answer.

    pip install ./bindings/python && python3 examples/python/run_model.py model.onnx
"""
import sys

import numpy as np

import leat


def main() -> int:
    if len(sys.argv) != 2:
        print("usage: run_model.py MODEL.onnx", file=sys.stderr)
        return 2
    try:
        with leat.Model(sys.argv[1]) as model:
            feeds = {}
            for value in model.inputs:  # 0.5 everywhere; unknown dimensions become 1
                shape = [dim if isinstance(dim, int) and dim > 0 else 1 for dim in value.shape or ()]
                feeds[value.name] = np.full(shape, 0.5 if value.dtype == "float32" else 0, value.dtype)
            output = model.run(feeds)[model.outputs[0].name]
    except leat.LeatError as error:
        print(f"run_model: {error.message}", file=sys.stderr)
        return 1
    first = f", first {output.flat[0]:g}" if output.dtype == np.float32 and output.size else ""
    print(f"output 0: {output.dtype}, {output.size} elements{first}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
