#!/usr/bin/env python3
"""Writes the networks of the peer comparison: exact public shapes, random weights, fixed seeds.

usage: build_nets.py [OUTDIR] [NAME...]      OUTDIR defaults to build/peers/nets; existing files are kept
Every network is checked against its published parameter and multiply-accumulate counts: a wrong layer cannot hide.
Needs numpy and onnx.
"""
import pathlib
import sys

import nets_transformer
import nets_vision

# name: (maker, parameters as published or counted from the layer list, MMAC of one run)
NETS = {
    "mobilenetv2": (nets_vision.mobilenetv2, 3504872, 301),
    "mobilenetv3_large": (nets_vision.mobilenetv3_large, 5470832, 217),
    "resnet18": (nets_vision.resnet18, 11689512, 1814),
    "resnet50": (nets_vision.resnet50, 25530472, 4089),
    "yolov8n_320": (lambda: nets_vision.yolov8n(320), 3151904, 1093),
    "yolov8n_640": (lambda: nets_vision.yolov8n(640), 3151904, 4372),
    "yolov5s_512": (lambda: nets_vision.yolov5s(512), 7225885, 5259),
    "vit_s16": (nets_transformer.vit_s16, 22050664, 4600),
    "bert_6layer": (nets_transformer.bert_6layer, 66067968, 5587),
    "lipsync_unet": (nets_vision.lipsync_unet, 12153887, 4886),
    "unet_dense_16": (lambda: nets_vision.dense_unet(16), 1943009, 4783),
    "unet_dense_32": (lambda: nets_vision.dense_unet(32), 7760961, 18950),
}


def build(name, outdir):
    path = outdir / f"{name}.onnx"
    if path.exists():
        return path
    maker, parameters, mmac = NETS[name]
    net = maker()
    print(f"{name}: {net.params:,} parameters, {net.macs / 1e6:.1f} MMAC, {len(net.nodes)} nodes", file=sys.stderr)
    if parameters is not None and net.params != parameters:
        sys.exit(f"{name}: {net.params} parameters, {parameters} expected")
    if abs(net.macs / 1e6 - mmac) > 0.005 * mmac:
        sys.exit(f"{name}: {net.macs / 1e6:.1f} MMAC, {mmac} expected")
    part = path.with_suffix(".part")
    net.save(part)
    part.rename(path)
    return path


def main(outdir="build/peers/nets", *names):
    outdir = pathlib.Path(outdir)
    outdir.mkdir(parents=True, exist_ok=True)
    for name in names or NETS:
        build(name, outdir)


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] in ("-h", "--help"):
        sys.exit(__doc__)
    main(*sys.argv[1:])
