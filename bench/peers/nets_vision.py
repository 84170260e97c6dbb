"""nets_vision.py - the convolutional networks of the comparison, in their exact public shapes."""
import numpy as np

from netkit import Net


def image(net, channels, size):
    return net.input("input", [1, channels, size, size])


def finish(net, value, name="output"):
    net.output(value, name)
    return net


def classifier(net, x, classes=1000):
    x = net.global_pool(x)
    x = net.node("Flatten", [x], net.shape[x][:2], axis=1)
    return finish(net, net.gemm(x, classes))


# --- MobileNets --------------------------------------------------------------------------------------------------------


def mobilenetv2():
    net = Net("mobilenetv2", 11, fold=False)
    x = net.conv_bn(image(net, 3, 224), 32, 3, 2, act="relu6")
    for expand, out, repeat, stride in [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1),
                                        (6, 160, 3, 2), (6, 320, 1, 1)]:
        for i in range(repeat):
            x = inverted_residual_v2(net, x, expand, out, stride if i == 0 else 1)
    return classifier(net, net.conv_bn(x, 1280, 1, act="relu6"))


def inverted_residual_v2(net, x, expand, out, stride):
    inside = net.shape[x][1]
    y = net.conv_bn(x, inside * expand, 1, act="relu6") if expand > 1 else x
    y = net.conv_bn(y, inside * expand, 3, stride, groups=inside * expand, act="relu6")
    y = net.conv_bn(y, out, 1, gain=1.0)
    return net.add(x, y) if stride == 1 and inside == out else y


MOBILENETV3_LARGE = [  # kernel, expanded, out, squeeze-excite, activation, stride
    (3, 16, 16, 0, "relu", 1), (3, 64, 24, 0, "relu", 2), (3, 72, 24, 0, "relu", 1), (5, 72, 40, 1, "relu", 2),
    (5, 120, 40, 1, "relu", 1), (5, 120, 40, 1, "relu", 1), (3, 240, 80, 0, "hardswish", 2),
    (3, 200, 80, 0, "hardswish", 1), (3, 184, 80, 0, "hardswish", 1), (3, 184, 80, 0, "hardswish", 1),
    (3, 480, 112, 1, "hardswish", 1), (3, 672, 112, 1, "hardswish", 1), (5, 672, 160, 1, "hardswish", 2),
    (5, 960, 160, 1, "hardswish", 1), (5, 960, 160, 1, "hardswish", 1)]


def mobilenetv3_large():
    net = Net("mobilenetv3_large", 12, opset=14)
    x = net.conv_bn(image(net, 3, 224), 16, 3, 2, act="hardswish")
    for kernel, wide, out, squeeze, act, stride in MOBILENETV3_LARGE:
        inside = net.shape[x][1]
        y = net.conv_bn(x, wide, 1, act=act) if wide != inside else x
        y = net.conv_bn(y, wide, kernel, stride, groups=wide, act=act)
        y = squeeze_excite(net, y) if squeeze else y
        y = net.conv_bn(y, out, 1, gain=1.0)
        x = net.add(y, x) if stride == 1 and inside == out else y
    x = net.global_pool(net.conv_bn(x, 960, 1, act="hardswish"))
    x = net.hardswish(net.gemm(net.node("Flatten", [x], [1, 960], axis=1), 1280))
    return finish(net, net.gemm(x, 1000))


def squeeze_excite(net, x):
    c = net.shape[x][1]
    squeezed = int(c // 4 + 4) // 8 * 8
    squeezed += 8 if squeezed < 0.9 * (c // 4) else 0
    y = net.relu(net.conv(net.global_pool(x), squeezed, 1))
    return net.node("Mul", [net.hardsigmoid(net.conv(y, c, 1)), x], net.shape[x])


# --- ResNets -----------------------------------------------------------------------------------------------------------


def resnet(name, seed, fold, block, counts):
    net = Net(name, seed, fold=fold)
    x = net.conv_bn(image(net, 3, 224), 64, 7, 2, act="relu")
    x = net.maxpool(x, 3, 2, 1)
    for stage, count in enumerate(counts):
        for i in range(count):
            x = block(net, x, 64 << stage, 2 if stage and i == 0 else 1)
    return classifier(net, x)


def shortcut(net, x, out, stride):
    return x if stride == 1 and net.shape[x][1] == out else net.conv_bn(x, out, 1, stride, gain=1.0)


def basic_block(net, x, width, stride):
    y = net.conv_bn(x, width, 3, stride, act="relu")
    y = net.conv_bn(y, width, 3, gain=0.5)
    return net.relu(net.add(y, shortcut(net, x, width, stride)))


def bottleneck_block(net, x, width, stride):
    y = net.conv_bn(x, width, 1, act="relu")
    y = net.conv_bn(y, width, 3, stride, act="relu")
    y = net.conv_bn(y, width * 4, 1, gain=0.5)
    return net.relu(net.add(y, shortcut(net, x, width * 4, stride)))


def resnet18():
    return resnet("resnet18", 13, False, basic_block, (2, 2, 2, 2))


def resnet50():
    return resnet("resnet50", 14, True, bottleneck_block, (3, 4, 6, 3))


# --- YOLOv8n -----------------------------------------------------------------------------------------------------------


def cbs(net, x, out, kernel=1, stride=1, pad=None):
    return net.conv_bn(x, out, kernel, stride, pad, act="silu")


def c2f(net, x, out, count, residual):
    parts = net.split(cbs(net, x, out), [out // 2, out // 2])
    for _ in range(count):
        y = cbs(net, cbs(net, parts[-1], out // 2, 3), out // 2, 3)
        parts.append(net.add(parts[-1], y) if residual else y)
    return cbs(net, net.concat(parts), out)


def sppf(net, x, out):
    parts = [cbs(net, x, net.shape[x][1] // 2)]
    for _ in range(3):
        parts.append(net.maxpool(parts[-1], 5, 1, 2))
    return cbs(net, net.concat(parts), out)


def yolov8n(size):
    net = Net(f"yolov8n_{size}", 15)
    x = cbs(net, cbs(net, image(net, 3, size), 16, 3, 2), 32, 3, 2)
    p3 = c2f(net, cbs(net, c2f(net, x, 32, 1, True), 64, 3, 2), 64, 2, True)
    p4 = c2f(net, cbs(net, p3, 128, 3, 2), 128, 2, True)
    p5 = sppf(net, c2f(net, cbs(net, p4, 256, 3, 2), 256, 1, True), 256)
    n4 = c2f(net, net.concat([net.upsample(p5), p4]), 128, 1, False)
    n3 = c2f(net, net.concat([net.upsample(n4), p3]), 64, 1, False)
    m4 = c2f(net, net.concat([cbs(net, n3, 64, 3, 2), n4]), 128, 1, False)
    m5 = c2f(net, net.concat([cbs(net, m4, 128, 3, 2), p5]), 256, 1, False)
    return finish(net, yolov8_detect(net, [n3, m4, m5], size), "output0")


def yolov8_detect(net, levels, size):
    """Decoupled head; distances as an expectation over 16 bins; boxes as centre and size."""
    flat = []
    for x in levels:
        box = net.conv(cbs(net, cbs(net, x, 64, 3), 64, 3), 64, 1)
        cls = net.conv(cbs(net, cbs(net, x, 80, 3), 80, 3), 80, 1)
        y = net.concat([box, cls])
        flat.append(net.reshape(y, [1, 144, net.shape[y][2] * net.shape[y][3]]))
    box, cls = net.split(net.concat(flat, 2), [64, 80])
    anchors, strides = yolo_grid(size)
    n = anchors.shape[2]
    bins = net.softmax(net.transpose(net.reshape(box, [1, 4, 16, n]), (0, 2, 1, 3)), 1)
    weight = net.const(np.arange(16, dtype=np.float32).reshape(1, 16, 1, 1), "dfl", True)
    net.macs += 16 * 4 * n
    distance = net.reshape(net.node("Conv", [bins, weight], [1, 1, 4, n], kernel_shape=[1, 1]), [1, 4, n])
    lt, rb = net.split(distance, [2, 2])
    centre = net.floats(anchors, "anchors")
    low = net.node("Sub", [centre, lt], [1, 2, n])
    high = net.node("Add", [rb, centre], [1, 2, n])
    middle = net.node("Div", [net.add(low, high), net.floats(2)], [1, 2, n])
    boxes = net.concat([middle, net.node("Sub", [high, low], [1, 2, n])])
    return net.concat([net.mul(boxes, net.floats(strides, "strides")), net.sigmoid(cls)])


def yolo_grid(size):
    """Cell centres [1, 2, N] in cells and strides [1, N] of the three levels."""
    points, strides = [], []
    for stride in (8, 16, 32):
        cells = size // stride
        y, x = np.meshgrid(np.arange(cells) + 0.5, np.arange(cells) + 0.5, indexing="ij")
        points.append(np.stack([x.ravel(), y.ravel()]))
        strides.append(np.full(cells * cells, stride))
    return np.concatenate(points, 1)[None], np.concatenate(strides)[None]


# --- YOLOv5s -----------------------------------------------------------------------------------------------------------


def c3(net, x, out, count, residual=True):
    y = cbs(net, x, out // 2)
    for _ in range(count):
        z = cbs(net, cbs(net, y, out // 2), out // 2, 3)
        y = net.add(y, z) if residual else z
    return cbs(net, net.concat([y, cbs(net, x, out // 2)]), out)


def yolov5s(size):
    net = Net(f"yolov5s_{size}", 16)
    x = cbs(net, cbs(net, image(net, 3, size), 32, 6, 2, 2), 64, 3, 2)
    p3 = c3(net, cbs(net, c3(net, x, 64, 1), 128, 3, 2), 128, 2)
    p4 = c3(net, cbs(net, p3, 256, 3, 2), 256, 3)
    p5 = sppf(net, c3(net, cbs(net, p4, 512, 3, 2), 512, 1), 512)
    h5 = cbs(net, p5, 256)
    h4 = cbs(net, c3(net, net.concat([net.upsample(h5), p4]), 256, 1, False), 128)
    n3 = c3(net, net.concat([net.upsample(h4), p3]), 128, 1, False)
    n4 = c3(net, net.concat([cbs(net, n3, 128, 3, 2), h4]), 256, 1, False)
    n5 = c3(net, net.concat([cbs(net, n4, 256, 3, 2), h5]), 512, 1, False)
    return finish(net, yolov5_detect(net, [n3, n4, n5], size), "output0")


YOLOV5_ANCHORS = [[10, 13, 16, 30, 33, 23], [30, 61, 62, 45, 59, 119], [116, 90, 156, 198, 373, 326]]


def yolov5_detect(net, levels, size):
    """Anchor head: three boxes a cell, offsets and sizes from sigmoids."""
    flat = []
    for x, stride, anchors in zip(levels, (8, 16, 32), YOLOV5_ANCHORS):
        cells = size // stride
        y = net.reshape(net.conv(x, 255, 1, gain=1.0), [1, 3, 85, cells, cells])
        y = net.sigmoid(net.transpose(y, (0, 1, 3, 4, 2)))
        xy, wh, rest = net.split(y, [2, 2, 81], 4)
        gy, gx = np.meshgrid(np.arange(cells), np.arange(cells), indexing="ij")
        grid = np.broadcast_to(np.stack([gx, gy], -1) - 0.5, (1, 3, cells, cells, 2))
        boxes = np.broadcast_to(np.array(anchors).reshape(1, 3, 1, 1, 2), (1, 3, cells, cells, 2))
        xy = net.add(net.mul(xy, net.floats(2)), net.floats(grid, "grid"))
        xy = net.mul(xy, net.floats(stride))
        wh = net.node("Pow", [net.mul(wh, net.floats(2)), net.floats(2)], net.shape[wh])
        y = net.concat([xy, net.mul(wh, net.floats(boxes, "anchor_grid")), rest], 4)
        flat.append(net.reshape(y, [1, 3 * cells * cells, 85]))
    return net.concat(flat, 1)


# --- U-Nets ------------------------------------------------------------------------------------------------------------


def dense_unet(base):
    """Classic U-Net of two 3x3 convolutions a level, four levels, transposed convolutions on the way up."""
    net = Net(f"unet_dense_{base}", 17, fold=base != 16)

    def double(x, out):
        return net.conv_bn(net.conv_bn(x, out, 3, act="relu"), out, 3, act="relu")

    skips = [double(image(net, 6, 320), base)]
    for level in range(1, 5):
        skips.append(double(net.maxpool(skips[-1], 2, 2), base << level))
    x = skips.pop()
    while skips:
        skip = skips.pop()
        x = double(net.concat([skip, net.deconv2x(x, net.shape[skip][1])]), net.shape[skip][1])
    return finish(net, net.conv(x, 1, 1))


def inverted(net, x, out, stride, residual):
    """The lip-sync network's inverted residual: expansion 2, no activation after the projection."""
    wide = 2 * net.shape[x][1]
    y = net.conv_bn(x, wide, 1, act="relu")
    y = net.conv_bn(y, wide, 3, stride, 1, wide, act="relu")
    y = net.conv_bn(y, out, 1, gain=0.5 if residual else 1.0)
    return net.add(x, y) if residual else y


def inverted_pair(net, x, out, stride):
    return inverted(net, inverted(net, x, out, stride, False), out, 1, True)


def lipsync_audio(net):
    x = net.input("audio", [1, 32, 16, 16])
    x = inverted(net, inverted(net, x, 64, 1, False), 128, 1, False)
    x = inverted(net, net.conv_bn(x, 256, 3, act="relu", bias=True), 256, 1, True)
    x = net.conv_bn(x, 512, 3, 2, 3, act="relu", bias=True)
    return inverted(net, inverted(net, x, 512, 1, True), 512, 1, True)


def lipsync_unet():
    """Six-channel 320x320 face crop and audio features to the synthesised mouth region, RGB in [0, 1]."""
    net = Net("lipsync_unet", 18)
    skips = [inverted(net, net.input("image", [1, 6, 320, 320]), 32, 1, False)]
    for out in (32, 64, 128, 256, 512):
        skips.append(inverted_pair(net, skips[-1], out, 2))
    x = net.concat([skips.pop(), lipsync_audio(net)])
    x = inverted_pair(net, inverted_pair(net, x, 512, 1), 256, 1)
    for out in (128, 64, 32, 32, 16):
        x = inverted_pair(net, net.concat([net.upsample(x, "linear"), skips.pop()]), out, 1)
    return finish(net, net.sigmoid(net.conv(x, 3, 1, gain=1.0)))
