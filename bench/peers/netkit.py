"""netkit.py - writes ONNX networks with random weights, tracking shapes and multiply-accumulates while it builds.

A Net is one graph under construction.  Every method appends the nodes that a PyTorch export would write for that layer and
returns the name of the result; net.shape[name] is its shape.  Weights are He-initialised from one seed, so that a network is
the same bytes on every machine.  Batch normalisation is folded into the convolution, or, with fold=False, left as the
separate node that many real files still carry, with statistics that are not the identity.
"""
import math

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

IR_VERSION = 8


class Net:
    """One network: nodes, initializers, shapes, counts."""

    def __init__(self, name, seed=1, opset=13, fold=True):
        self.name, self.opset, self.fold = name, opset, fold
        self.rng = np.random.default_rng(seed)
        self.nodes, self.inits, self.inputs, self.outputs = [], [], [], []
        self.shape, self.serial = {}, 0
        self.macs = self.params = 0

    # --- plumbing ---------------------------------------------------------------------------------------------------

    def fresh(self, hint):
        self.serial += 1
        return f"/{hint}_{self.serial}"

    def input(self, name, shape, dtype=TensorProto.FLOAT):
        self.inputs.append(helper.make_tensor_value_info(name, dtype, shape))
        self.shape[name] = list(shape)
        return name

    def output(self, value, name):
        """Declares `value` as the output `name`."""
        self.nodes.append(helper.make_node("Identity", [value], [name]))
        self.outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, self.shape[value]))
        self.shape[name] = self.shape[value]

    def const(self, array, hint="const", trained=False):
        """Adds an initializer; trained ones count as parameters."""
        name = self.fresh(hint)
        array = np.asarray(array, order="C")
        self.inits.append(numpy_helper.from_array(array, name))
        self.shape[name] = list(array.shape)
        self.params += array.size if trained else 0
        return name

    def floats(self, values, hint="const"):
        return self.const(np.asarray(values, np.float32), hint)

    def ints(self, values, hint="shape"):
        return self.const(np.asarray(values, np.int64), hint)

    def node(self, op, inputs, shape, count=1, **attributes):
        """Appends one node; with count > 1, `shape` is a list of shapes and the result a list of names."""
        names = [self.fresh(op) for _ in range(count)]
        self.nodes.append(helper.make_node(op, list(inputs), names, name=names[0] + "/" + op, **attributes))
        for name, dims in zip(names, [shape] if count == 1 else shape):
            self.shape[name] = list(dims)
        return names[0] if count == 1 else names

    def he(self, shape, fan_in, gain=2.0):
        return (self.rng.standard_normal(shape, dtype=np.float32) * np.float32(math.sqrt(gain / fan_in)))

    # --- convolutional layers ---------------------------------------------------------------------------------------

    def conv(self, x, out, kernel, stride=1, pad=None, groups=1, bias=True, gain=2.0):
        """Plain convolution, no normalisation."""
        n, c, h, w = self.shape[x]
        pad = kernel // 2 if pad is None else pad
        weight = self.he((out, c // groups, kernel, kernel), c // groups * kernel * kernel, gain)
        oh, ow = (h + 2 * pad - kernel) // stride + 1, (w + 2 * pad - kernel) // stride + 1
        inputs = [x, self.const(weight, "weight", True)]
        if bias:
            inputs.append(self.const(self.rng.standard_normal(out, dtype=np.float32) * np.float32(0.05), "bias", True))
        self.macs += n * oh * ow * weight.size
        return self.node("Conv", inputs, [n, out, oh, ow], kernel_shape=[kernel] * 2, strides=[stride] * 2,
                         pads=[pad] * 4, dilations=[1, 1], group=groups)

    def batchnorm(self, x):
        c = self.shape[x][1]
        scale = 1 + 0.1 * self.rng.standard_normal(c)
        values = [scale, 0.05 * self.rng.standard_normal(c), 0.05 * self.rng.standard_normal(c), 1 + 0.2 * self.rng.random(c)]
        trained = (True, True, False, False)
        inputs = [self.const(v.astype(np.float32), "bn", t) for v, t in zip(values, trained)]
        return self.node("BatchNormalization", [x] + inputs, self.shape[x], epsilon=1e-5)

    def conv_bn(self, x, out, kernel, stride=1, pad=None, groups=1, act=None, bias=False, gain=2.0):
        """Convolution + batch normalisation (+ activation); folded when the network says so."""
        y = self.conv(x, out, kernel, stride, pad, groups, self.fold or bias, gain)
        y = y if self.fold else self.batchnorm(y)
        return getattr(self, act)(y) if act else y

    def relu(self, x):
        return self.node("Relu", [x], self.shape[x])

    def relu6(self, x):
        return self.node("Clip", [x, self.floats(0, "min"), self.floats(6, "max")], self.shape[x])

    def sigmoid(self, x):
        return self.node("Sigmoid", [x], self.shape[x])

    def silu(self, x):
        return self.node("Mul", [x, self.sigmoid(x)], self.shape[x])

    def hardswish(self, x):
        return self.node("HardSwish", [x], self.shape[x])

    def hardsigmoid(self, x):
        return self.node("HardSigmoid", [x], self.shape[x], alpha=1 / 6, beta=0.5)

    def add(self, a, b):
        return self.node("Add", [a, b], self.shape[a])

    def mul(self, a, b):
        return self.node("Mul", [a, b], self.shape[a])

    def maxpool(self, x, kernel, stride, pad=0):
        n, c, h, w = self.shape[x]
        size = [(d + 2 * pad - kernel) // stride + 1 for d in (h, w)]
        return self.node("MaxPool", [x], [n, c, *size], kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[pad] * 4)

    def global_pool(self, x):
        n, c = self.shape[x][:2]
        return self.node("GlobalAveragePool", [x], [n, c, 1, 1])

    def concat(self, xs, axis=1):
        dims = list(self.shape[xs[0]])
        dims[axis] = sum(self.shape[x][axis] for x in xs)
        return self.node("Concat", xs, dims, axis=axis)

    def split(self, x, sizes, axis=1):
        shapes = []
        for size in sizes:
            dims = list(self.shape[x])
            dims[axis] = size
            shapes.append(dims)
        return self.node("Split", [x, self.ints(sizes, "split")], shapes, len(sizes), axis=axis)

    def upsample(self, x, mode="nearest"):
        """Twice the height and width: nearest as YOLO has it, linear with aligned corners as the U-Net has it."""
        n, c, h, w = self.shape[x]
        scales = self.floats([1, 1, 2, 2], "scales")
        kind = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"} if mode == "nearest" \
            else {"coordinate_transformation_mode": "align_corners"}
        return self.node("Resize", [x, "", scales], [n, c, 2 * h, 2 * w], mode=mode, **kind)

    def deconv2x(self, x, out):
        """Transposed 2x2 convolution, stride 2."""
        n, c, h, w = self.shape[x]
        weight = self.const(self.he((c, out, 2, 2), c), "weight", True)
        bias = self.const(np.zeros(out, np.float32), "bias", True)
        self.macs += n * h * w * 4 * c * out
        return self.node("ConvTranspose", [x, weight, bias], [n, out, 2 * h, 2 * w], kernel_shape=[2, 2], strides=[2, 2])

    # --- dense layers and attention ---------------------------------------------------------------------------------

    def gemm(self, x, out):
        n, k = self.shape[x]
        weight = self.const(self.he((out, k), k, 1.0), "weight", True)
        bias = self.const(np.zeros(out, np.float32), "bias", True)
        self.macs += n * k * out
        return self.node("Gemm", [x, weight, bias], [n, out], transB=1)

    def linear(self, x, out):
        """MatMul with a transposed weight, then Add of the bias: how a Linear on three dimensions is exported."""
        *lead, k = self.shape[x]
        weight = self.const(self.he((k, out), k, 1.0), "weight", True)
        bias = self.const(self.rng.standard_normal(out, dtype=np.float32) * np.float32(0.02), "bias", True)
        y = self.matmul(x, weight)
        return self.node("Add", [bias, y], lead + [out])

    def matmul(self, a, b):
        dims = self.shape[a][:-1] + [self.shape[b][-1]]
        self.macs += math.prod(dims) * self.shape[a][-1]
        return self.node("MatMul", [a, b], dims)

    def reshape(self, x, dims):
        return self.node("Reshape", [x, self.ints(dims)], dims)

    def transpose(self, x, perm):
        return self.node("Transpose", [x], [self.shape[x][p] for p in perm], perm=list(perm))

    def softmax(self, x, axis=-1):
        return self.node("Softmax", [x], self.shape[x], axis=axis)

    def layernorm(self, x, epsilon):
        """Layer normalisation in the nine primitive nodes that exports up to opset 16 have."""
        dims, stat = self.shape[x], self.shape[x][:-1] + [1]
        mean = self.node("ReduceMean", [x], stat, axes=[-1], keepdims=1)
        centred = self.node("Sub", [x, mean], dims)
        square = self.node("Pow", [centred, self.floats(2)], dims)
        variance = self.node("ReduceMean", [square], stat, axes=[-1], keepdims=1)
        deviation = self.node("Sqrt", [self.node("Add", [variance, self.floats(epsilon)], stat)], stat)
        y = self.node("Div", [centred, deviation], dims)
        gamma = self.const((1 + 0.1 * self.rng.standard_normal(dims[-1])).astype(np.float32), "gamma", True)
        beta = self.const((0.05 * self.rng.standard_normal(dims[-1])).astype(np.float32), "beta", True)
        return self.node("Add", [self.mul(y, gamma), beta], dims)

    def gelu(self, x):
        """Exact GELU in its five exported nodes."""
        dims = self.shape[x]
        e = self.node("Erf", [self.node("Div", [x, self.floats(math.sqrt(2))], dims)], dims)
        return self.mul(self.mul(x, self.node("Add", [e, self.floats(1)], dims)), self.floats(0.5))

    # --- result -----------------------------------------------------------------------------------------------------

    def save(self, path):
        graph = helper.make_graph(self.nodes, self.name, self.inputs, self.outputs, self.inits)
        model = helper.make_model(graph, producer_name="leat-build-nets", ir_version=IR_VERSION,
                                  opset_imports=[helper.make_opsetid("", self.opset)])
        onnx.save(model, path)
