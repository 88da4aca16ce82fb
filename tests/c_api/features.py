#!/usr/bin/env python3
"""The shared library from Python: features of a fixture through ctypes, and the same memory through DLPack.

    features.py LIBRARY DATA_DIRECTORY
"""

import ctypes
import os
import sys

import numpy as np


class StreamOptions(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in ("struct_size", "height", "width", "batch", "chunk")]


class Frame(ctypes.Structure):
    _fields_ = [
        ("pixels", ctypes.c_void_p),
        ("height", ctypes.c_size_t),
        ("width", ctypes.c_size_t),
        ("row_stride", ctypes.c_ssize_t),
        ("format", ctypes.c_int),
    ]


class Features(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_size_t), ("values", ctypes.POINTER(ctypes.c_float))] + [
        (name, ctypes.c_size_t) for name in ("batch", "tokens", "width", "grid_height", "grid_width")
    ]


class DlpackTensor:
    """A tensor that the library has exported, for numpy.from_dlpack."""

    def __init__(self, pointer):
        self.pointer = pointer

    def __dlpack__(self, **_):
        make = ctypes.pythonapi.PyCapsule_New
        make.restype = ctypes.py_object
        make.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
        return make(self.pointer, b"dltensor", None)

    def __dlpack_device__(self):
        return (1, 0)


def main(library, data):
    rvm = ctypes.CDLL(library)
    rvm.rvm_last_error.restype = ctypes.c_char_p

    def call(status):
        assert status == 0, rvm.rvm_last_error().decode()

    def dlpack(stream, copy):
        tensor = ctypes.c_void_p()
        call(rvm.rvm_stream_features_dlpack(stream, copy, ctypes.byref(tensor)))
        return np.from_dlpack(DlpackTensor(tensor))

    model = ctypes.c_void_p()
    assert rvm.rvm_model_load(b"absent.npz", None, ctypes.byref(model)) == 2
    assert b"absent.npz" in rvm.rvm_last_error() and not model
    call(rvm.rvm_model_load(os.path.join(data, "weights.npz").encode(), None, ctypes.byref(model)))

    clip = np.load(os.path.join(data, "features_96x160.npz"))
    video, expected = clip["video"], clip["features"]
    steps, height, width, _ = video.shape
    options = StreamOptions(ctypes.sizeof(StreamOptions), height, width, 1, 0)
    stream = ctypes.c_void_p()
    call(rvm.rvm_stream_create(model, ctypes.byref(options), ctypes.byref(stream)))
    rvm.rvm_model_free(model)

    features = Features(ctypes.sizeof(Features))
    for t in range(steps):
        pixels = np.ascontiguousarray(video[t])
        frame = Frame(pixels.ctypes.data, height, width, 0, 0)
        call(rvm.rvm_stream_step(stream, ctypes.byref(frame), ctypes.c_size_t(1), ctypes.byref(features)))
        found = np.ctypeslib.as_array(features.values, (features.tokens, features.width))
        off = np.abs(found - expected[t]).max()
        print(f"frame {t}: off by {off:.2g}")
        assert off < 2e-5

    seen = dlpack(stream, 0)
    assert seen.shape == (1, features.tokens, features.width) and seen.dtype == np.float32
    assert seen.ctypes.data == ctypes.cast(features.values, ctypes.c_void_p).value, "the features were copied"
    copied = dlpack(stream, 1)
    assert copied.ctypes.data != seen.ctypes.data
    rvm.rvm_stream_free(stream)
    assert np.array_equal(seen, copied) and np.abs(seen[0] - expected[-1]).max() < 2e-5
    del seen, copied
    print("1 passed, 0 failed")


if __name__ == "__main__":
    main(*sys.argv[1:])
