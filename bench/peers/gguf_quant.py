"""gguf_quant.py - quantisers of GGUF's block formats, vectorised: for files with random weights, not for shipping models.

Each function takes float32 [blocks, length] and returns uint8 [blocks, bytes].  Scales come from the extremes of a block (no search for a better one, as
real quantisers do), so values are a little further off than those of a shipped file and cost exactly the same to compute with.
Layouts: src/cpu/blocks.h.  FORMATS maps a name to (number in GGUF, elements a block, function).
"""
import numpy as np

IQ4_STEPS = np.array([-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113], np.float32)


def half(x):
    """float [blocks, n] -> the bytes of IEEE halves [blocks, 2 n]"""
    return np.ascontiguousarray(x.astype(np.float16)).view(np.uint8).reshape(len(x), -1)


def inverse(scale):
    return np.divide(1, scale, out=np.zeros_like(scale), where=scale != 0)


def stored(scale):
    """the scale as it will be read back"""
    return scale.astype(np.float16).astype(np.float32)


def nibbles(q):
    """[blocks, 32] values 0..15 -> [blocks, 16], elements 0..15 low"""
    return (q[:, :16] | q[:, 16:] << 4).astype(np.uint8)


def high_bits(q):
    """bit 4 of [blocks, 32] values -> [blocks, 4]"""
    return np.packbits((q >> 4 & 1).astype(np.uint8), axis=1, bitorder='little')


def levels(x, count):
    """unsigned levels between a block's extremes: (q, scale, lowest)"""
    low, top = x.min(1, keepdims=True), x.max(1, keepdims=True)
    scale = (top - low) / (count - 1)
    return np.clip(np.rint((x - low) * inverse(scale)), 0, count - 1).astype(np.int32), scale, low


def signed(x, depth):
    """signed levels -depth..depth-1, the largest magnitude at -depth: (q + depth, scale)"""
    largest = np.take_along_axis(x, np.abs(x).argmax(1)[:, None], 1)
    scale = largest / -depth
    return np.clip(np.rint(x * inverse(scale)) + depth, 0, 2 * depth - 1).astype(np.int32), scale


def q8_0(x):
    scale = np.abs(x).max(1, keepdims=True) / 127
    return np.hstack([half(scale), np.rint(x * inverse(scale)).astype(np.int8).view(np.uint8)])


def q4_0(x):
    q, scale = signed(x, 8)
    return np.hstack([half(scale), nibbles(q)])


def q4_1(x):
    q, scale, low = levels(x, 16)
    return np.hstack([half(scale), half(low), nibbles(q)])


def q5_0(x):
    q, scale = signed(x, 16)
    return np.hstack([half(scale), high_bits(q), nibbles(q & 15)])


def q5_1(x):
    q, scale, low = levels(x, 32)
    return np.hstack([half(scale), half(low), high_bits(q), nibbles(q & 15)])


def nearest_step(x):
    return np.abs(x[..., None] - IQ4_STEPS).argmin(-1).astype(np.int32)


def iq4_nl(x):
    scale = np.abs(x).max(1, keepdims=True) / 113
    return np.hstack([half(scale), nibbles(nearest_step(x * inverse(scale)))])


def two_level(x, size, bits, scale_bits):
    """Affine levels in groups of `size`, scales and minimums again quantised: (q, d, m, s, t), x = d s q - m t."""
    groups = x.reshape(len(x), -1, size)
    low = np.minimum(groups.min(2), 0)
    scale = (groups.max(2) - low) / (2 ** bits - 1)
    most = 2 ** scale_bits - 1
    d = stored(scale.max(1, keepdims=True) / most)
    m = stored((-low).max(1, keepdims=True) / most)
    s = np.clip(np.rint(scale * inverse(d)), 0, most).astype(np.int32)
    t = np.clip(np.rint(-low * inverse(m)), 0, most).astype(np.int32)
    q = np.rint((groups + (m * t)[..., None]) * inverse(d * s)[..., None])
    return np.clip(q, 0, 2 ** bits - 1).astype(np.int32).reshape(len(x), -1), d, m, s, t


def scale_and_minimum(s, t):
    """eight 6-bit pairs in 12 bytes, of Q4_K and Q5_K"""
    return np.hstack([s[:, :4] | s[:, 4:] >> 4 << 6, t[:, :4] | t[:, 4:] >> 4 << 6, (s[:, 4:] & 15) | (t[:, 4:] & 15) << 4]).astype(np.uint8)


def nibble_pairs(q):
    """[blocks, 256] -> [blocks, 128]: of each 64 elements the first 32 low, the others high"""
    q = q.reshape(len(q), -1, 2, 32)
    return (q[:, :, 0] | q[:, :, 1] << 4).astype(np.uint8).reshape(len(q), -1)


def q2_k(x):
    q, d, m, s, t = two_level(x, 16, 2, 4)
    q = q.reshape(len(q), 2, 4, 32)
    packed = (q[:, :, 0] | q[:, :, 1] << 2 | q[:, :, 2] << 4 | q[:, :, 3] << 6).astype(np.uint8).reshape(len(q), -1)
    return np.hstack([(s | t << 4).astype(np.uint8), packed, half(d), half(m)])


def two_level_signed(x, size, depth, scale_depth):
    """Signed levels in groups, scales quantised to -scale_depth..scale_depth-1: (q + depth, d, s), x = d s q."""
    groups = x.reshape(len(x), -1, size)
    scale = np.take_along_axis(groups, np.abs(groups).argmax(2)[..., None], 2)[..., 0] / -depth
    d = stored(np.take_along_axis(scale, np.abs(scale).argmax(1)[:, None], 1) / -scale_depth)
    s = np.clip(np.rint(scale * inverse(d)), -scale_depth, scale_depth - 1).astype(np.int32)
    q = np.rint(groups * inverse(d * s)[..., None]) + depth
    return np.clip(q, 0, 2 * depth - 1).astype(np.int32).reshape(len(x), -1), d, s


def q3_k(x):
    q, d, s = two_level_signed(x, 16, 4, 32)
    s = s + 32
    high = np.packbits((q.reshape(len(q), 8, 32) >> 2).astype(np.uint8), axis=1, bitorder='little').reshape(len(q), 32)
    low = (q & 3).reshape(len(q), 2, 4, 32)
    low = (low[:, :, 0] | low[:, :, 1] << 2 | low[:, :, 2] << 4 | low[:, :, 3] << 6).reshape(len(q), 64)
    top = s >> 4
    scales = np.hstack([(s[:, :8] & 15) | (s[:, 8:] & 15) << 4, top[:, :4] | top[:, 4:8] << 2 | top[:, 8:12] << 4 | top[:, 12:] << 6])
    return np.hstack([high, low.astype(np.uint8), scales.astype(np.uint8), half(d)])


def q4_k(x):
    q, d, m, s, t = two_level(x, 32, 4, 6)
    return np.hstack([half(d), half(m), scale_and_minimum(s, t), nibble_pairs(q)])


def q5_k(x):
    q, d, m, s, t = two_level(x, 32, 5, 6)
    high = np.packbits((q.reshape(len(q), 8, 32) >> 4).astype(np.uint8), axis=1, bitorder='little').reshape(len(q), 32)
    return np.hstack([half(d), half(m), scale_and_minimum(s, t), high, nibble_pairs(q & 15)])


def q6_k(x):
    q, d, s = two_level_signed(x, 16, 32, 128)
    q = q.reshape(len(q), 2, 4, 32)
    low = np.stack([(q[:, :, 0] & 15) | (q[:, :, 2] & 15) << 4, (q[:, :, 1] & 15) | (q[:, :, 3] & 15) << 4], 2)
    high = q[:, :, 0] >> 4 | q[:, :, 1] >> 4 << 2 | q[:, :, 2] >> 4 << 4 | q[:, :, 3] >> 4 << 6
    return np.hstack([low.astype(np.uint8).reshape(len(q), 128), high.astype(np.uint8).reshape(len(q), 64), s.astype(np.int8).view(np.uint8), half(d)])


def iq4_xs(x):
    groups = x.reshape(len(x), 8, 32)
    scale = np.abs(groups).max(2) / 113
    d = stored(scale.max(1, keepdims=True) / 31)
    s = np.clip(np.rint(scale * inverse(d)), -32, 31).astype(np.int32)
    q = nearest_step((groups * inverse(d * s)[..., None])).reshape(len(x) * 8, 32)
    s = s + 32
    high = np.zeros(len(x), np.int32)
    for j in range(8):
        high |= (s[:, j] >> 4) << 2 * j
    low = (s[:, 0::2] & 15) | (s[:, 1::2] & 15) << 4
    return np.hstack([half(d), high.astype(np.uint16)[:, None].view(np.uint8), low.astype(np.uint8), nibbles(q).reshape(len(x), 128)])


def f32(x):
    return np.ascontiguousarray(x, np.float32).view(np.uint8)


def bf16(x):
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    return np.ascontiguousarray((bits + 0x7fff + (bits >> 16 & 1) >> 16).astype(np.uint16)).view(np.uint8)


FORMATS = {
    'F32': (0, 1, f32), 'F16': (1, 1, half), 'Q4_0': (2, 32, q4_0), 'Q4_1': (3, 32, q4_1), 'Q5_0': (6, 32, q5_0), 'Q5_1': (7, 32, q5_1),
    'Q8_0': (8, 32, q8_0), 'Q2_K': (10, 256, q2_k), 'Q3_K': (11, 256, q3_k), 'Q4_K': (12, 256, q4_k), 'Q5_K': (13, 256, q5_k), 'Q6_K': (14, 256, q6_k),
    'IQ4_NL': (20, 32, iq4_nl), 'IQ4_XS': (23, 256, iq4_xs), 'BF16': (30, 1, bf16),
}


def quantise(values, name):
    """float32 [..., columns] -> uint8, rows of whole blocks; a format whose blocks do not divide the columns is an error"""
    _, length, function = FORMATS[name]
    if values.shape[-1] % length:
        raise ValueError(f'{values.shape[-1]} columns are no multiple of the {length} elements of a {name} block')
    return function(np.ascontiguousarray(values, np.float32).reshape(-1, length)).reshape(-1)
