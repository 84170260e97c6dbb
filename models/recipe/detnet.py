"""detnet.py - the detector of coins and beads: plain 3x3 convolutions with ReLU, a small feature pyramid, three anchors at strides 8, 16, 32.

    stem 16 /2, 24 /2, 40 /2 + residual, 80 /2 + residual, 112 /2 + residual; pyramid 48 wide; heads 3 * (5 + classes)

Written for a runtime that is fast in 3x3 convolutions (Winograd): nothing is grouped, nothing is wider than it must be.  A box is decoded inside the graph
(centre, size in pixels, objectness, classes; sigmoid applied), from any height and width that are multiples of 32.
"""
import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn
from torch.nn import functional

LABELS = ["coin", "bead"]
CLASSES, OUTPUTS = len(LABELS), 5 + len(LABELS)
STRIDES = (8, 16, 32)
ANCHORS = (((13, 13), (21, 21), (31, 31)), ((40, 40), (36, 62), (60, 52)), ((78, 78), (115, 105), (170, 165)))
WIDTHS, PYRAMID = (16, 24, 40, 80, 112), 48


def conv(inside, out, size=3, stride=1):
    layers = [nn.Conv2d(inside, out, size, stride, size // 2, bias=False), nn.BatchNorm2d(out, momentum=0.03)]
    return nn.Sequential(*layers)


class Residual(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.first, self.second = conv(width, width), conv(width, width)

    def forward(self, x):
        return functional.relu(x + self.second(functional.relu(self.first(x))))


class Detector(nn.Module):
    """Raw heads [N, 3 * OUTPUTS, H/s, W/s] for s in STRIDES."""

    def __init__(self):
        super().__init__()
        inside = 3
        self.down, self.blocks = nn.ModuleList(), nn.ModuleList()
        for i, width in enumerate(WIDTHS):
            self.down.append(conv(inside, width, stride=2))
            if i >= 2:
                self.blocks.append(Residual(width))
            inside = width
        self.lateral = nn.ModuleList(conv(w, PYRAMID, 1) for w in WIDTHS[2:])
        self.smooth = nn.ModuleList(conv(PYRAMID, PYRAMID) for _ in STRIDES)
        self.head = nn.ModuleList(nn.Conv2d(PYRAMID, 3 * OUTPUTS, 1) for _ in STRIDES)
        for head in self.head:
            nn.init.normal_(head.weight, std=0.01)
            nn.init.zeros_(head.bias)
            head.bias.data.view(3, OUTPUTS)[:, 4] = -4.5

    def forward(self, x):
        features = []
        for i, down in enumerate(self.down):
            x = functional.relu(down(x))
            if i >= 2:
                x = self.blocks[i - 2](x)
                features.append(x)
        tops = [None] * 3
        for i in (2, 1, 0):
            tops[i] = self.lateral[i](features[i])
            if i < 2:
                tops[i] = tops[i] + functional.interpolate(tops[i + 1], scale_factor=2, mode="nearest")
            tops[i] = functional.relu(tops[i])
        return [head(functional.relu(smooth(t))) for head, smooth, t in zip(self.head, self.smooth, tops)]


def scales(level):
    """Linear and square factors [3, OUTPUTS] of the sigmoid's output: value = y * (linear + y * square) + cell."""
    linear, square = np.ones((3, OUTPUTS), np.float32), np.zeros((3, OUTPUTS), np.float32)
    linear[:, :2], linear[:, 2:4] = 2 * STRIDES[level], 0
    square[:, 2:4] = 4 * np.array(ANCHORS[level], np.float32)
    return linear, square


def decode(heads):
    """[N, cells, OUTPUTS] of raw heads, as the graph does it."""
    out = []
    for level, head in enumerate(heads):
        n, _, height, width = head.shape
        linear, square = (torch.from_numpy(a) for a in scales(level))
        y = head.float().permute(0, 2, 3, 1).reshape(n, height, width, 3, OUTPUTS).sigmoid()
        cell = torch.zeros(height, width, 1, OUTPUTS)
        cell[..., 0] = ((torch.arange(width) - 0.5) * STRIDES[level])[None, :, None]
        cell[..., 1] = ((torch.arange(height) - 0.5) * STRIDES[level])[:, None, None]
        out.append((y * (linear + y * square) + cell).reshape(n, -1, OUTPUTS))
    return torch.cat(out, 1)


# --- ONNX --------------------------------------------------------------------------------------------------------------


class Writer:
    """Collects nodes and initializers; batch normalisation is folded into its convolution."""

    def __init__(self):
        self.nodes, self.inits = [], []

    def init(self, name, array):
        self.inits.append(numpy_helper.from_array(np.asarray(array, order="C"), name))
        return name

    def node(self, op, inputs, output, **attributes):
        self.nodes.append(helper.make_node(op, inputs, [output], name=output, **attributes))
        return output

    def conv(self, name, x, module, relu=True):
        c, bias = (module, module.bias) if isinstance(module, nn.Conv2d) else (module[0], None)
        weight = c.weight.detach().double()
        if bias is None:
            bn = module[1]
            factor = bn.weight.detach().double() / torch.sqrt(bn.running_var.double() + bn.eps)
            weight, bias = weight * factor[:, None, None, None], bn.bias.double() - bn.running_mean.double() * factor
        size, stride = c.kernel_size[0], c.stride[0]
        x = self.node("Conv", [x, self.init(name + ".weight", weight.float().numpy()), self.init(name + ".bias", bias.detach().float().numpy())], name,
                      kernel_shape=[size] * 2, strides=[stride] * 2, pads=[size // 2] * 4)
        return self.node("Relu", [x], name + ".relu") if relu else x

    def residual(self, name, x, block):
        y = self.conv(name + ".first", x, block.first)
        y = self.conv(name + ".second", y, block.second, relu=False)
        return self.node("Relu", [self.node("Add", [x, y], name + ".sum")], name)

    def axis(self, name, shape, at, reshape):
        """(0, 1, 2 ...) - 0.5 along one side of the feature map, ready to broadcast."""
        length = self.node("Gather", [shape, self.init(name + ".at", np.array(at, np.int64))], name + ".length")
        steps = self.node("Cast", [self.node("Range", ["zero", length, "one"], name + ".range")], name + ".float", to=TensorProto.FLOAT)
        return self.node("Unsqueeze", [self.node("Sub", [steps, "half"], name + ".centre"), self.init(name + ".axes", np.array(reshape, np.int64))], name)

    def cells(self, name, x, level):
        """[1, h * w, 1, OUTPUTS]: what is added to x and y, 0 elsewhere."""
        shape, unit = self.node("Shape", [x], name + ".shape"), np.eye(OUTPUTS, dtype=np.float32) * STRIDES[level]
        across = self.node("Mul", [self.axis(name + ".x", shape, 3, [0, 2]), self.init(name + ".unit_x", unit[0])], name + ".across")
        down = self.node("Mul", [self.axis(name + ".y", shape, 2, [1, 2]), self.init(name + ".unit_y", unit[1])], name + ".down")
        return self.node("Reshape", [self.node("Add", [across, down], name + ".grid"), "cells_shape"], name)

    def level(self, i, x, module):
        name = f"head{STRIDES[i]}"
        raw = self.conv(name, x, module, relu=False)
        rows = self.node("Reshape", [self.node("Transpose", [raw], name + ".nhwc", perm=[0, 2, 3, 1]), "anchor_shape"], name + ".rows")
        y, (linear, square) = self.node("Sigmoid", [rows], name + ".y"), scales(i)
        slope = self.node("Add", [self.node("Mul", [y, self.init(name + ".square", square)], name + ".yy"), self.init(name + ".linear", linear)], name + ".slope")
        boxes = self.node("Add", [self.node("Mul", [y, slope], name + ".scaled"), self.cells(name + ".cell", raw, i)], name + ".boxes")
        return self.node("Reshape", [boxes, "row_shape"], name + ".out")


def write_onnx(path, net, size=None):
    """Input images [1, 3, H, W] (RGB 0..1; H and W of any multiple of 32, or `size`), output [1, 63 * H * W / 1024, 7]."""
    w = Writer()
    for name, value in (("zero", np.array(0, np.int64)), ("one", np.array(1, np.int64)), ("half", np.float32(0.5)),
                        ("cells_shape", np.array([1, -1, 1, OUTPUTS], np.int64)), ("anchor_shape", np.array([1, -1, 3, OUTPUTS], np.int64)),
                        ("row_shape", np.array([1, -1, OUTPUTS], np.int64)), ("twice", np.array([1, 1, 2, 2], np.float32))):
        w.init(name, value)
    x, features, tops = "images", [], [None] * 3
    for i, down in enumerate(net.down):
        x = w.conv(f"down{i}", x, down)
        if i >= 2:
            x = w.residual(f"block{i}", x, net.blocks[i - 2])
            features.append(x)
    for i in (2, 1, 0):
        tops[i] = w.conv(f"lateral{i}", features[i], net.lateral[i], relu=False)
        if i < 2:
            up = w.node("Resize", [above, "", "twice"], f"up{i}", mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")
            tops[i] = w.node("Add", [tops[i], up], f"merge{i}")
        above = tops[i] = w.node("Relu", [tops[i]], f"top{i}")
    outs = [w.level(i, w.conv(f"smooth{i}", tops[i], net.smooth[i]), net.head[i]) for i in range(3)]
    w.node("Concat", outs, "output", axis=1)
    sides, rows = (["height", "width"], "boxes") if size is None else ([size] * 2, 63 * size * size // 1024)
    graph = helper.make_graph(w.nodes, "coin_bead", [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, *sides])],
                              [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, rows, OUTPUTS])], w.inits)
    model = helper.make_model(graph, producer_name="leat-recipe", ir_version=8, opset_imports=[helper.make_opsetid("", 18)])
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)
