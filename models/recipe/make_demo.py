#!/usr/bin/env python3
"""make_demo.py - renders the images that `make demo` classifies: models/demo/<class>_<n>.{jpg,png}.

usage: make_demo.py [OUTDIR]      The seeds, (3, n), are used neither for training nor for the figures of the model card.
"""
import pathlib
import sys

from PIL import Image

import render

DARKEST = 70  # mean grey level of a picture that a person can judge at a glance


def pick(label, skip):
    """The skip-th bright enough render of the class, and its seed."""
    n = 0
    while True:
        pixels, _ = render.cell((3, n), 160, label)
        if pixels.mean() >= DARKEST and pixels.std() > 35:
            if skip == 0:
                return pixels
            skip -= 1
        n += 1


def main(outdir="models/demo"):
    outdir = pathlib.Path(outdir)
    outdir.mkdir(parents=True, exist_ok=True)
    for label, name in enumerate(render.LABELS):
        for i in range(3):
            image = Image.fromarray(pick(label, 3 * label + i))
            if i == 2:
                image.resize((96, 96), Image.Resampling.BILINEAR).save(outdir / f"{name}_{i + 1}.png", optimize=True)
            else:
                image.save(outdir / f"{name}_{i + 1}.jpg", quality=88)


if __name__ == "__main__":
    main(*sys.argv[1:])
