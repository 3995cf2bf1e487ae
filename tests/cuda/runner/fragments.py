"""The PTX manual's formulas for which lane's register holds which element, as functions of (lane, i).

Written from the manual's text ("Matrix fragments for mma...", "Matrix fragments for sparse mma..."), one element at a
time, so that it shares nothing with the wrappers, which compute the other way round, from the element to the lane.
"""

import numpy as np


def group(lane):
    return lane >> 2


def pos(lane):
    return lane % 4


def a_m16n8k16(lane, i):
    """8 elements, 16 bits each."""
    row = group(lane) if 0 <= i < 2 or 4 <= i < 6 else group(lane) + 8
    column = pos(lane) * 2 + (i & 1) + (0 if i < 4 else 8)
    return row, column


def b_m16n8k16(lane, i):
    return pos(lane) * 2 + (i & 1) + (0 if i < 2 else 8), group(lane)


def c_m16n8(lane, i):
    return (group(lane) if i < 2 else group(lane) + 8), pos(lane) * 2 + (i & 1)


def a_m16n8k32(lane, i):
    """16 elements, 8 bits each."""
    row = group(lane) if 0 <= i < 4 or 8 <= i < 12 else group(lane) + 8
    return row, pos(lane) * 4 + (i & 3) + (0 if i < 8 else 16)


def b_m16n8k32(lane, i):
    return pos(lane) * 4 + (i & 3) + (0 if i < 4 else 16), group(lane)


def a_m16n8k256(lane, i):
    """128 elements, 1 bit each."""
    row = group(lane) if 0 <= i < 32 or 64 <= i < 96 else group(lane) + 8
    return row, pos(lane) * 32 + (i & 0x1F) + (0 if i < 64 else 128)


def b_m16n8k256(lane, i):
    return pos(lane) * 32 + (i & 0x1F) + (0 if i < 32 else 128), group(lane)


def a_m8n8k128(lane, i):
    return group(lane), pos(lane) * 32 + i


def b_m8n8k128(lane, i):
    return pos(lane) * 32 + i, group(lane)


def c_m8n8(lane, i):
    return group(lane), pos(lane) * 2 + i


def b_sparse_m16n8k32(lane, i):
    """8 elements, 16 bits each, of a 32x8 matrix."""
    return pos(lane) * 2 + (i & 1) + 8 * (i // 2), group(lane)


def pack(matrix, layout, registers, bits):
    """[32, registers] of uint32 from an integer matrix whose elements have `bits` bits."""
    per_register = 32 // bits
    packed = np.zeros((32, registers), np.uint64)
    for lane in range(32):
        for i in range(registers * per_register):
            value = int(matrix[layout(lane, i)]) & ((1 << bits) - 1)
            packed[lane, i // per_register] |= np.uint64(value << (bits * (i % per_register)))
    return packed.astype(np.uint32)


def spread(matrix, layout, registers):
    """[32, registers] with one element of C per register."""
    return np.array([[matrix[layout(lane, i)] for i in range(registers)] for lane in range(32)])


def collect(values, layout, shape):
    """The matrix that [32, registers] values are the fragments of."""
    matrix = np.zeros(shape, values.dtype)
    for lane in range(values.shape[0]):
        for i in range(values.shape[1]):
            matrix[layout(lane, i)] = values[lane, i]
    return matrix
