"""Makes the PNGs of this folder by hand, one of each kind of pixels: pixel (y, x) holds 7 * (11 * y + x) modulo what its
bits can hold, of 5 x 11 pixels. The standard library is enough."""
import pathlib
import struct
import zlib

HERE = pathlib.Path(__file__).parent
HEIGHT, WIDTH = 5, 11
GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGBA: 4}
ADAM7 = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def rows(bits, channels, passes):
    out = b""
    for y0, x0, dy, dx in passes:
        for y in range(y0, HEIGHT, dy):
            values = [7 * (WIDTH * y + x) % (1 << min(bits, 8)) for x in range(x0, WIDTH, dx) for _ in range(channels)]
            if not values:
                continue
            if bits == 16:
                out += b"\0" + struct.pack(f">{len(values)}H", *values)
            else:
                text = "".join(f"{v:0{bits}b}" for v in values)
                text += "0" * (-len(text) % 8)
                out += b"\0" + int(text, 2).to_bytes(len(text) // 8, "big")
    return out


def make(name, bits, kind, extra=b"", interlaced=False):
    body = chunk(b"IHDR", struct.pack(">IIBBBBB", WIDTH, HEIGHT, bits, kind, 0, 0, interlaced)) + extra
    if kind == PALETTE:
        # Colours that tell nothing of the labels, some of them the same, some half transparent.
        body += chunk(b"PLTE", b"".join(bytes((k % 5 * 50, 9, 200)) for k in range(1 << bits)))
        body += chunk(b"tRNS", bytes((0, 128)))
    body += chunk(b"IDAT", zlib.compress(rows(bits, CHANNELS[kind], ADAM7 if interlaced else [(0, 0, 1, 1)])))
    (HERE / f"{name}.png").write_bytes(b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b""))


for bits in (1, 2, 4, 8):
    make(f"palette{bits}", bits, PALETTE)
make("palette8_interlaced", 8, PALETTE, interlaced=True)
make("grey8", 8, GREY, chunk(b"gAMA", struct.pack(">I", 100000)) + chunk(b"tRNS", struct.pack(">H", 14)))
for bits in (1, 2, 4, 16):
    make(f"grey{bits}", bits, GREY)
make("grey8_alpha", 8, GREY_ALPHA)
make("rgb8", 8, RGB)
make("rgb16", 16, RGB)
make("rgba8", 8, RGBA)
