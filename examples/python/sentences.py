"""Embeds three sentences and prints the cosine of each pair, with NumPy and a model compiled ahead of time.

    ggufc compile model.gguf --emit shared -o model.so
    python3 sentences.py ./model.so
"""
import ctypes
import sys

import numpy

SENTENCES = [
    "The cat sleeps on the warm roof of the house.",
    "A cat is asleep on the roof of our house.",
    "Central banks raised interest rates to slow inflation.",
]


class EmbedOptions(ctypes.Structure):  # ggufc_embed_options of ggufc.h
    _fields_ = [("size", ctypes.c_size_t), ("flags", ctypes.c_uint32), ("reserved", ctypes.c_uint32),
                ("prompt", ctypes.c_char_p), ("title", ctypes.c_char_p)]


class Model:
    def __init__(self, path, name="model"):
        self.library = ctypes.CDLL(path)
        self.library.ggufc_last_error.restype = ctypes.c_char_p
        self.library.ggufc_dims.restype = ctypes.c_size_t
        self.handle = ctypes.c_void_p()
        self.check(getattr(self.library, name + "_open")(None, None, ctypes.byref(self.handle)))
        self.dims = self.library.ggufc_dims(self.handle)

    def __del__(self):
        self.library.ggufc_close(self.handle)

    def check(self, status):
        if status != 0:
            raise RuntimeError(self.library.ggufc_last_error().decode())

    def embed(self, texts, prompt=None):
        """float32[len(texts), dims]"""
        encoded = [text.encode() for text in texts]
        pointers = (ctypes.c_char_p * len(texts))(*encoded)
        lengths = (ctypes.c_size_t * len(texts))(*map(len, encoded))
        options = EmbedOptions(ctypes.sizeof(EmbedOptions), prompt=prompt and prompt.encode())
        out = numpy.empty((len(texts), self.dims), numpy.float32)
        self.check(self.library.ggufc_embed(self.handle, pointers, lengths, ctypes.c_size_t(len(texts)),
                                            ctypes.byref(options), out.ctypes.data_as(ctypes.c_void_p),
                                            ctypes.c_size_t(self.dims)))
        return out


vectors = Model(sys.argv[1]).embed(SENTENCES, prompt="sentence-similarity").astype(numpy.float64)
cosines = vectors @ vectors.T  # vectors have length 1
for i, j in zip(*numpy.triu_indices(len(SENTENCES), 1)):
    print(f"{i + 1} and {j + 1}: {cosines[i, j]:.4f}")
