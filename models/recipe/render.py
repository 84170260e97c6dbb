"""render.py - draws cells of a bead abacus: the whole training set comes from here.

A cell is the square around one bead position pair of one rod.  Classes:
    0 upper   a bead rests in the upper half        1 lower   a bead rests in the lower half        2 empty   only the rod
Everything else varies: bead shape and colour, rod, frame and divider of wood, cloth or paper behind, slices of neighbouring beads
at all four borders, perspective, light direction, shadows, colour casts, blur, noise, JPEG.  One image is a pure function of
its seed.  Coordinates: u right, v down, both in [-1, 1] over the cell before the camera moves.
"""
import io

import numpy as np
from PIL import Image

UPPER, LOWER, EMPTY = 0, 1, 2
LABELS = ["upper", "lower", "empty"]

BEAD_COLOURS = np.array([[150, 90, 45], [110, 60, 30], [190, 130, 70], [60, 40, 30], [30, 30, 32], [180, 40, 35], [40, 90, 170],
                         [50, 130, 70], [220, 190, 60], [225, 220, 210]], np.float32) / 255
WOOD_COLOURS = np.array([[120, 75, 40], [90, 55, 30], [160, 110, 65], [55, 38, 28], [35, 33, 34], [195, 160, 115]],
                        np.float32) / 255


def smooth(distance, width):
    """1 inside (negative distance), 0 outside, a ramp of `width` between."""
    return np.clip(0.5 - distance / width, 0, 1)


def mix(image, colour, mask):
    return image + (colour - image) * mask[..., None]


def noise_field(rng, size, cells):
    """Smooth random field in [-1, 1]: a coarse grid stretched to the image."""
    grid = Image.fromarray(rng.uniform(-1, 1, (cells[0], cells[1])).astype(np.float32))
    return np.asarray(grid.resize((size, size), Image.Resampling.BICUBIC))


def camera(rng, size):
    """Coordinates of every pixel under a random rotation, shift, scale and perspective."""
    axis = (np.arange(size, dtype=np.float32) + 0.5) * (2 / size) - 1
    x, y = np.meshgrid(axis, axis)
    angle, scale = rng.normal(0, 0.045), rng.uniform(0.9, 1.12)
    w = 1 + rng.normal(0, 0.05) * x + rng.normal(0, 0.05) * y
    c, s = np.cos(angle) * scale, np.sin(angle) * scale
    shear = rng.normal(0, 0.03)
    return (c * x - s * y + shear * y) / w + rng.normal(0, 0.06), (s * x + c * y) / w + rng.normal(0, 0.045)


def wood(rng, size, coord):
    """Grain that runs along the other axis than `coord`."""
    base = WOOD_COLOURS[rng.integers(len(WOOD_COLOURS))] * rng.uniform(0.8, 1.2)
    warp = noise_field(rng, size, (4, 4)) * 0.4
    grain = np.sin((coord + warp) * rng.uniform(15, 40)) * 0.06 + noise_field(rng, size, (12, 12)) * 0.06
    return base * (1 + grain[..., None])


def background(rng, size, u, v):
    kind = rng.integers(3)
    if kind == 0:
        return wood(rng, size, u if rng.random() < 0.5 else v)
    base = rng.uniform(0.1, 0.95) * (1 + rng.uniform(-0.15, 0.15, 3)) if kind == 1 else rng.uniform(0.05, 0.9, 3)
    texture = noise_field(rng, size, (6, 6)) * 0.05 + rng.normal(0, 0.02, (size, size)) * rng.random()
    return (base * (1 + texture[..., None])).astype(np.float32)


class Look:
    """What all beads of one abacus share."""

    def __init__(self, rng):
        self.colour = BEAD_COLOURS[rng.integers(len(BEAD_COLOURS))] * rng.uniform(0.75, 1.2) + rng.normal(0, 0.02, 3)
        self.half_width = rng.uniform(0.55, 0.95)
        self.half_height = rng.uniform(0.34, 0.47)
        self.edge = rng.uniform(0.02, 0.16)          # radius of the rounded rim
        self.flat = rng.uniform(0.15, 0.5)           # half width of the flat top, around the rod
        self.light = rng.uniform(-1, 1)
        self.contrast = rng.uniform(0.12, 0.5)
        self.gloss = rng.uniform(0, 0.5) * (rng.random() < 0.6)
        self.round = rng.random() < 0.2              # a ball or lens instead of the double cone
        self.grain = rng.uniform(0, 0.12)

    def distance(self, du, dv):
        """Signed distance of the outline, in cell units, negative inside."""
        a, b = np.abs(du), np.abs(dv)
        if self.round:
            return (np.sqrt((du / self.half_width) ** 2 + (dv / self.half_height) ** 2) - 1) * self.half_height
        slope = (self.half_width - self.flat) / self.half_height
        side = (a + slope * b - self.half_width) / np.sqrt(1 + slope * slope)
        return np.maximum(np.maximum(side, b - self.half_height), a - self.half_width + self.edge * 0.5)


def bead(rng, image, look, u, v, cu, cv, pixel):
    """Paints one bead centred at (cu, cv) with the shadow that it casts."""
    du, dv = u - cu, v - cv
    shadow = smooth(look.distance(du - 0.1 * look.light, dv - 0.08), 0.25) * 0.35
    image = image * (1 - shadow[..., None])
    mask = smooth(look.distance(du, dv), 2 * pixel + look.edge * 0.2)
    face = np.clip(dv / look.half_height, -1, 1)
    shade = 1 - look.contrast * (0.6 * np.tanh(5 * face) + 0.5 * face) - 0.25 * (du / look.half_width) ** 2
    shade = shade + 0.15 * look.light * du - 0.25 * np.exp(-((dv / 0.03) ** 2)) * (not look.round)
    if look.grain > 0.03:
        shade = shade + look.grain * noise_field(rng, u.shape[0], (3, 14))
    spot = np.exp(-(((du - 0.3 * look.light) / 0.18) ** 2 + ((dv + 0.45 * look.half_height) / 0.07) ** 2))
    colour = look.colour * np.clip(shade, 0.15, 1.6)[..., None] + (look.gloss * spot)[..., None]
    return mix(image, colour, mask)


def rod(rng, image, u, pixel, centre):
    half = rng.uniform(0.035, 0.11)
    base = np.array([0.75, 0.73, 0.7]) * rng.uniform(0.4, 1.2) if rng.random() < 0.5 else WOOD_COLOURS[rng.integers(6)]
    across = (u - centre) / half
    shadow = smooth(np.abs(u - centre - 0.12 * rng.uniform(-1, 1)) - half, 0.2) * 0.25
    image = image * (1 - shadow[..., None])
    shade = np.clip(1.15 - 0.6 * np.abs(across + rng.uniform(-0.5, 0.5)), 0.3, 1.5)
    return mix(image, base * shade[..., None], smooth(np.abs(u - centre) - half, 2 * pixel))


def bar(rng, image, distance, v_or_u, pixel):
    """A piece of the frame or the divider: everything on the negative side of `distance`."""
    image = image * (1 - 0.4 * smooth(distance - 0.06, 0.2))[..., None]
    return mix(image, wood(rng, distance.shape[0], v_or_u), smooth(distance, 2 * pixel))


def scene(rng, label, size):
    """The clean picture: float RGB [size, size, 3], about 0..1."""
    u, v = camera(rng, size)
    pixel = 2 / size
    look = Look(rng)
    image = background(rng, size, u, v).astype(np.float32)
    image = rod(rng, image, u, pixel, 0.0)
    pitch = rng.uniform(1.9, 2.3)
    for side in (-1, 1):                             # neighbouring rods, at other heights
        if rng.random() < 0.75:
            for cv in (rng.uniform(-1.2, -0.3), rng.uniform(0.3, 1.2)):
                if rng.random() < 0.6:
                    image = bead(rng, image, look, u, v, side * max(pitch, 1 + look.half_width + 0.02), cv, pixel)
    occupied = {UPPER: -0.5, LOWER: 0.5}.get(label)
    for side in (-1, 1):                             # the next beads above and below show a slice at most
        reach = 1.0 + look.half_height - rng.uniform(-0.1, 0.16)
        if rng.random() < 0.55:
            image = bead(rng, image, look, u, v, rng.normal(0, 0.02), side * reach, pixel)
        elif rng.random() < 0.5:
            image = bar(rng, image, (1.0 - rng.uniform(-0.05, 0.2)) - side * v, u, pixel)
    if occupied is not None:
        cv = occupied + rng.uniform(-0.09, 0.09)
        image = bead(rng, image, look, u, v, rng.normal(0, 0.03), cv, pixel)
    if rng.random() < 0.15:
        image = bar(rng, image, rng.uniform(0.85, 1.0) - rng.choice([-1, 1]) * u, v, pixel)
    return image


def light(rng, image):
    """Uneven light, a cast shadow, colour temperature, exposure."""
    size = image.shape[0]
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    field = 1 + rng.normal(0, 0.18) * axis[None, :] + rng.normal(0, 0.18) * axis[:, None]
    if rng.random() < 0.35:
        angle = rng.uniform(0, 2 * np.pi)
        edge = np.cos(angle) * axis[None, :] + np.sin(angle) * axis[:, None] - rng.uniform(-0.8, 0.8)
        field = field * (1 - rng.uniform(0.2, 0.6) * smooth(edge, rng.uniform(0.03, 0.6)))
    cast = 1 + rng.normal(0, 0.09, 3)
    return np.clip(image * field[..., None] * cast * rng.uniform(0.55, 1.35), 0, 1) ** rng.uniform(0.75, 1.35)


def blur_axis(image, kernel, axis):
    pad = len(kernel) // 2
    widths = [(0, 0)] * 3
    widths[axis] = (pad, pad)
    padded = np.pad(image, widths, mode="edge")
    n = image.shape[axis]
    return sum(k * np.take(padded, range(i, i + n), axis) for i, k in enumerate(kernel))


def lens(rng, image):
    """Defocus and motion blur, in proportion to the size."""
    size = image.shape[0]
    if rng.random() < 0.6:
        sigma = rng.uniform(0.2, 1.3) * size / 64
        taps = np.arange(-int(2.5 * sigma) - 1, int(2.5 * sigma) + 2)
        kernel = np.exp(-0.5 * (taps / sigma) ** 2)
        kernel /= kernel.sum()
        image = blur_axis(blur_axis(image, kernel, 0), kernel, 1)
    if rng.random() < 0.2:
        length = int(rng.uniform(2, 5) * size / 64)
        image = blur_axis(image, np.full(length, 1 / length), int(rng.integers(2)))[:size, :size]
    return image


def sensor(rng, image):
    """Noise, quantisation, JPEG; returns uint8 RGB."""
    image = image + rng.normal(0, rng.uniform(0, 0.06), image.shape) * (0.5 + image)
    pixels = (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)
    if rng.random() < 0.5:
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "JPEG", quality=int(rng.integers(35, 96)))
        pixels = np.asarray(Image.open(buffer))
    return pixels


def cell(seed, size, label=None):
    """One cell as uint8 RGB [size, size, 3] and its class."""
    rng = np.random.default_rng(seed)
    drawn = int(rng.integers(3))
    label = drawn if label is None else label
    return sensor(rng, lens(rng, light(rng, scene(rng, label, size)))), label
