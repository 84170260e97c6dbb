"""gguf_file.py - writes GGUF version 3.

A file is: magic, version, two counts; metadata entries; the directory of tensors; padding; tensor data, each tensor at a multiple of the alignment.
Everything is little-endian.  Tensors are given as functions, so that a file of gigabytes needs the memory of its largest tensor.
"""
import os
import struct

import numpy as np

from gguf_quant import FORMATS

ALIGNMENT = 32
KIND = {'u8': (0, 'B'), 'i8': (1, 'b'), 'u16': (2, 'H'), 'i16': (3, 'h'), 'u32': (4, 'I'), 'i32': (5, 'i'), 'f32': (6, 'f'), 'bool': (7, '?'),
        'u64': (10, 'Q'), 'i64': (11, 'q'), 'f64': (12, 'd')}


def text(value):
    data = value if isinstance(value, bytes) else value.encode()
    return struct.pack('<Q', len(data)) + data


def kind_of(value):
    if isinstance(value, bool):
        return 'bool'
    if isinstance(value, int):
        return 'u32'
    return 'f32' if isinstance(value, float) else 'text'


def array(values, kind):
    head = struct.pack('<IQ', 8 if kind == 'text' else KIND[kind][0], len(values))
    return head + (b''.join(map(text, values)) if kind == 'text' else struct.pack(f'<{len(values)}{KIND[kind][1]}', *values))


def entry(key, value):
    """One metadata entry.  A value is a bool, an int (u32), a float (f32), a str, a list of one of those, or (kind, value) where that is not meant."""
    kind, value = value if isinstance(value, tuple) else (None, value)
    if isinstance(value, list):
        return text(key) + struct.pack('<I', 9) + array(value, kind or kind_of(value[0]))
    kind = kind or kind_of(value)
    if kind == 'text':
        return text(key) + struct.pack('<I', 8) + text(value)
    number, code = KIND[kind]
    return text(key) + struct.pack('<I' + code, number, value)


def padding(size):
    return bytes(-size % ALIGNMENT)


def stored_bytes(shape, name):
    _, length, function = FORMATS[name]
    count = int(np.prod(shape, dtype=np.int64))
    if shape[-1] % length:
        raise ValueError(f'{shape[-1]} columns are no multiple of the {length} elements of a {name} block')
    return count // length * function(np.zeros((1, length), np.float32)).shape[1]


def write(path, metadata, tensors):
    """metadata: dict; tensors: list of (name, shape with the rows first, format, function that returns its bytes as uint8)."""
    head = struct.pack('<4sIQQ', b'GGUF', 3, len(tensors), len(metadata)) + b''.join(entry(k, v) for k, v in metadata.items())
    at = 0
    for name, shape, form, _ in tensors:
        head += text(name) + struct.pack(f'<I{len(shape)}QIQ', len(shape), *reversed(shape), FORMATS[form][0], at)
        size = stored_bytes(shape, form)
        at += size + len(padding(size))
    temporary = f'{path}.{os.getpid()}.tmp'
    with open(temporary, 'wb') as file:
        file.write(head + padding(len(head)))
        for name, shape, form, make in tensors:
            data = make()
            if data.nbytes != stored_bytes(shape, form):
                raise ValueError(f'{name}: {data.nbytes} bytes, expected {stored_bytes(shape, form)}')
            file.write(data.data)
            file.write(padding(data.nbytes))
    os.replace(temporary, path)
