"""Makes the small files of this folder that the fuzz targets begin with, all but the JPEGs, which Pillow made of
image/plain.ppm (no_picture.jpg and huffman.jpg are of those by mutation). The standard library is enough."""
import json
import pathlib
import struct

HERE = pathlib.Path(__file__).parent
HEIGHT, WIDTH = 5, 7


def save(name, data):
    path = HERE / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)


def safetensors(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header, separators=(",", ":")).encode()
    return struct.pack("<Q", len(text)) + text + data


def tensor(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def hash_bytes(data):
    """rvm::hash_bytes: of 64-bit words, the last one filled up with zeros."""
    value = 0
    words = [data[i : i + 8].ljust(8, b"\0") for i in range(0, len(data), 8)]
    for word in [len(data), *(int.from_bytes(w, "little") for w in words), 0]:
        value = ((value ^ word) * 0x9E3779B97F4A7C15) % 2**64
        value ^= value >> 29
    return value


def saved_state(frames, values, fingerprint=7):
    """For the stream that the target has: two videos of 32x16, 3 tokens of 2 numbers."""
    data = b"RVMSTATE" + struct.pack("<7Q", 1, fingerprint, 32, 16, 2, 3, 2)
    data += struct.pack(f"<{len(frames)}Q", *frames) + struct.pack(f"<{len(values)}f", *values)
    return data + struct.pack("<Q", hash_bytes(data))


save("safetensors/empty.safetensors", safetensors({}))
save("safetensors/one.safetensors", safetensors({"a": tensor("F32", [2, 1], 0, 8)}, struct.pack("<2f", 1, -2.5)))
save(
    "safetensors/several.safetensors",
    safetensors(
        {
            "half": tensor("F16", [], 17, 19),
            "__metadata__": {"format": "pt"},
            "a/float": tensor("F32", [2], 0, 8),
            "none": tensor("I64", [0, 3], 8, 8),
            "brain": tensor("BF16", [3, 1], 8, 14),
            "byte": tensor("U8", [3], 14, 17),
            "double": tensor("F64", [1], 19, 27),
        },
        struct.pack("<2f3H3B", 1, 2, 0x4040, 0x4080, 0x40A0, 1, 2, 3) + struct.pack("<Hd", 0x3800, 0.5),
    ),
)
save("safetensors/infinite.safetensors", safetensors({"a": tensor("F32", [2], 0, 8)}, struct.pack("<2f", 1, float("inf"))))

save("saved_state/whole.state", saved_state([5, 1 << 30], [float(i) for i in range(12)]))
save("saved_state/other_model.state", saved_state([5, 6], [0.0] * 12, 8))
save("saved_state/short.state", saved_state([5], [1.0, 2.0]))

save("json/list.json", b"[[1, 2.5], null, [3e1, -4]]")
save("json/points.json", b'{"points": [[1, 2]], "more": {"a": [true, "\\u00e9"]}}')
save("json/track.json", b'{"frames": [{"points": [[10.5, 20.25], null]}, {"points": [null, null]}]}')
save("json/results.json", b'{"settings": {"size": "96x160"}, "sequences": {"a": {"J": 0.5, "counts": [1, 2]}}}')
save("json/click.json", b'{"x": 10, "y": 20.5, "step": 3}')

pixels = [[((37 * x) % 256, (91 * y) % 256, (13 * x * y) % 256) for x in range(WIDTH)] for y in range(HEIGHT)]
rgb = b"".join(bytes(p) for row in pixels for p in row)
bgr = b"".join(bytes(p[::-1]) for row in pixels for p in row)
save("image/plain.ppm", b"P6\n%d %d\n255\n" % (WIDTH, HEIGHT) + rgb)
save("image/comment.pgm", b"P5 # grey\n%d %d\n255\n" % (WIDTH, HEIGHT) + rgb[: WIDTH * HEIGHT])
padded = b"".join(bgr[3 * WIDTH * y : 3 * WIDTH * (y + 1)].ljust((3 * WIDTH + 3) // 4 * 4, b"\0") for y in reversed(range(HEIGHT)))
bmp_header = struct.pack("<IiiHHIIiiII", 40, WIDTH, HEIGHT, 1, 24, 0, 0, 0, 0, 0, 0)
save("image/rgb.bmp", b"BM" + struct.pack("<IHHI", 54 + len(padded), 0, 0, 54) + bmp_header + padded)
palette = b"".join(bytes((i, 255 - i, 16 * (i % 16), 0)) for i in range(0, 256, 17))
indices = b"".join(bytes((16 * (x % 16) + y) % 256 for x in range(WIDTH)).ljust(8, b"\0") for y in range(HEIGHT))
bmp_header = struct.pack("<IiiHHIIiiII", 40, 2 * WIDTH, HEIGHT, 1, 4, 0, 0, 0, 0, 16, 0)
save("image/palette.bmp", b"BM" + struct.pack("<IHHI", 54 + 64 + len(indices), 0, 0, 118) + bmp_header + palette + indices)

