"""cellnet.py - the bead-cell classifier: inverted residuals on 64x64, 3 classes; forward pass in JAX, and its ONNX file.

stem 3x3/2 -> 16; inverted residuals 24 24 40 40 64 64 (depthwise 3x3, ReLU6, halving at the first of each width); flatten -> 3.
Activations are [N, H, W, C] in JAX.  Depthwise convolution is nine shifted products: XLA's grouped convolution is slow on CPUs.
"""
import jax
import jax.numpy as jnp
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIZE, CLASSES, EPSILON, MOMENTUM = 64, 3, 1e-5, 0.95
STEM = 16
BLOCKS = [(24, 3, 2), (24, 2, 1), (40, 3, 2), (40, 2, 1), (64, 3, 2), (64, 2, 1)]  # out, expansion, stride


def initial(seed):
    """Parameters {name: array}; every convolution `c` comes with c.scale, c.shift, and running c.mean, c.var in the state."""
    rng = np.random.default_rng(seed)
    params, state = {}, {}

    def conv(name, shape, fan_in):
        params[name] = (rng.standard_normal(shape) * np.sqrt(2 / fan_in)).astype(np.float32)
        out = shape[-1]
        params[name + ".scale"], params[name + ".shift"] = np.ones(out, np.float32), np.zeros(out, np.float32)
        state[name + ".mean"], state[name + ".var"] = np.zeros(out, np.float32), np.ones(out, np.float32)

    conv("stem", (3, 3, 3, STEM), 27)
    inside = STEM
    for i, (out, expansion, _) in enumerate(BLOCKS):
        wide = inside * expansion
        conv(f"block{i}.expand", (inside, wide), inside)
        conv(f"block{i}.depthwise", (3, 3, wide), 9)
        conv(f"block{i}.project", (wide, out), 2 * wide)
        inside = out
    features = inside * (SIZE // 16) ** 2
    params["head"] = (rng.standard_normal((features, CLASSES)) * np.sqrt(1 / features)).astype(np.float32)
    params["head.bias"] = np.zeros(CLASSES, np.float32)
    return params, state


def batchnorm(params, state, fresh, name, x, training):
    mean, var = state[name + ".mean"], state[name + ".var"]
    if training:
        mean, var = jnp.mean(x, (0, 1, 2)), jnp.var(x, (0, 1, 2))
        for key, value in ((".mean", mean), (".var", var)):
            fresh[name + key] = MOMENTUM * state[name + key] + (1 - MOMENTUM) * value
    return (x - mean) * (params[name + ".scale"] * jax.lax.rsqrt(var + EPSILON)) + params[name + ".shift"]


def depthwise(x, weight, stride):
    """3x3, one pixel of padding on every side."""
    n, h, w, c = x.shape
    padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    return sum(padded[:, i:i + h:stride, j:j + w:stride] * weight[i, j] for i in range(3) for j in range(3))


def forward(params, state, x, training):
    """Logits [N, 3] of normalised images [N, 64, 64, 3], and the new running statistics."""
    fresh = dict(state)

    def norm(name, y):
        return batchnorm(params, state, fresh, name, y, training)

    x = jax.lax.conv_general_dilated(x, params["stem"], (2, 2), ((1, 1), (1, 1)), dimension_numbers=("NHWC", "HWIO", "NHWC"))
    x = jnp.clip(norm("stem", x), 0, 6)
    for i, (out, _, stride) in enumerate(BLOCKS):
        y = jnp.clip(norm(f"block{i}.expand", x @ params[f"block{i}.expand"]), 0, 6)
        y = jnp.clip(norm(f"block{i}.depthwise", depthwise(y, params[f"block{i}.depthwise"], stride)), 0, 6)
        y = norm(f"block{i}.project", y @ params[f"block{i}.project"])
        x = x + y if y.shape == x.shape else y
    x = jnp.transpose(x, (0, 3, 1, 2)).reshape(x.shape[0], -1)
    return x @ params["head"] + params["head.bias"], fresh


# --- ONNX --------------------------------------------------------------------------------------------------------------


class Writer:
    """Collects nodes and initializers; batch normalisation stays a node of its own, for the runtime to fold."""

    def __init__(self, params, state):
        self.values, self.nodes, self.inits = {**params, **state}, [], []

    def init(self, name, array):
        self.inits.append(numpy_helper.from_array(np.asarray(array, order="C"), name))
        return name

    def node(self, op, inputs, output, **attributes):
        self.nodes.append(helper.make_node(op, inputs, [output], name=output, **attributes))
        return output

    def conv(self, name, x, weight, stride, pad, group, relu):
        x = self.node("Conv", [x, self.init(name + ".weight", weight)], name, kernel_shape=list(weight.shape[2:]),
                      strides=[stride] * 2, pads=[pad] * 4, group=group)
        stats = [self.init(name + key, self.values[name + key]) for key in (".scale", ".shift", ".mean", ".var")]
        x = self.node("BatchNormalization", [x] + stats, name + ".bn", epsilon=EPSILON)
        return self.node("Clip", [x, "zero", "six"], name + ".relu6") if relu else x

    def pointwise(self, name, x, relu):
        return self.conv(name, x, self.values[name].T[:, :, None, None], 1, 0, 1, relu)


def write_onnx(path, params, state):
    """Input [batch, 3, height, width], any size: the graph scales it to 64x64 first.  Output logits [batch, 3]."""
    w = Writer({k: np.asarray(v) for k, v in params.items()}, {k: np.asarray(v) for k, v in state.items()})
    for name, value in (("zero", np.float32(0)), ("six", np.float32(6)), ("size", np.array([SIZE, SIZE], np.int64))):
        w.init(name, value)
    x = w.node("Resize", ["image", "", "", "size"], "scaled", mode="linear", axes=[2, 3],
               coordinate_transformation_mode="half_pixel")
    x = w.conv("stem", x, w.values["stem"].transpose(3, 2, 0, 1), 2, 1, 1, True)
    inside = STEM
    for i, (out, expansion, stride) in enumerate(BLOCKS):
        y = w.pointwise(f"block{i}.expand", x, True)
        weight = w.values[f"block{i}.depthwise"].transpose(2, 0, 1)[:, None]
        y = w.conv(f"block{i}.depthwise", y, weight, stride, 1, inside * expansion, True)
        y = w.pointwise(f"block{i}.project", y, False)
        x = w.node("Add", [x, y], f"block{i}.sum") if stride == 1 and inside == out else y
        inside = out
    x = w.node("Flatten", [x], "flat", axis=1)
    w.node("Gemm", [x, w.init("head.weight", w.values["head"].T), w.init("head.bias", w.values["head.bias"])], "logits", transB=1)
    graph = helper.make_graph(
        w.nodes, "abacus_cells", [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, "height", "width"])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", CLASSES])], w.inits)
    model = helper.make_model(graph, producer_name="leat-recipe", ir_version=8, opset_imports=[helper.make_opsetid("", 18)])
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)
