"""ICC profiles of the matrix kind and PNG chunks for tests, written from the specifications."""

import struct
import zlib

# columns of the matrices under D50, as the profiles of their makers have them
SRGB = ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410))
DISPLAY_P3 = ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407))
ADOBE_RGB = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))


def fixed(*values: float) -> bytes:
    return struct.pack(f">{len(values)}i", *(round(65536 * value) for value in values))


def para(kind: int, *values: float) -> bytes:
    return b"para" + bytes(4) + struct.pack(">HH", kind, 0) + fixed(*values)


def curv(*values: int) -> bytes:
    return b"curv" + bytes(4) + struct.pack(f">I{len(values)}H", len(values), *values)


SRGB_CURVE = para(3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)


def profile(tags: dict[bytes, bytes], space: bytes = b"RGB ", pcs: bytes = b"XYZ ") -> bytes:
    white = b"XYZ " + bytes(4) + fixed(0.9642, 1, 0.8249)
    text = b"desc" + bytes(4) + struct.pack(">I", 2) + b"t\0" + bytes(78)
    tags = {b"wtpt": white, b"desc": text, b"cprt": b"text" + bytes(4) + b"none\0", **tags}
    table, body, at = b"", b"", 132 + 12 * len(tags)
    for name, tag in tags.items():
        padded = tag + bytes(-len(tag) % 4)
        table += struct.pack(">4sII", name, at + len(body), len(tag))
        body += padded
    head = struct.pack(">I4sI4s4s4s", at + len(body), b"test", 0x02400000, b"mntr", space, pcs)
    head += struct.pack(">6H4s", 2026, 1, 1, 0, 0, 0, b"acsp").ljust(44, b"\0") + fixed(0.9642, 1, 0.8249)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def matrix_profile(columns: tuple[tuple[float, ...], ...], curve: bytes = SRGB_CURVE) -> bytes:
    colorants = {f"{c}XYZ".encode(): b"XYZ " + bytes(4) + fixed(*xyz) for c, xyz in zip("rgb", columns, strict=True)}
    return profile(colorants | {f"{c}TRC".encode(): curve for c in "rgb"})


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def into_png(png: bytes, *chunks: bytes) -> bytes:
    """A PNG with more chunks after its first."""
    return png[:33] + b"".join(chunks) + png[33:]


def iccp(icc: bytes) -> bytes:
    return chunk(b"iCCP", b"name\0\0" + zlib.compress(icc))
