"""Reads a weight file, checks its checksum as docs/FORMAT.md defines it, and writes it again."""

import sys

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

path = sys.argv[1]
with safe_open(path, "np") as f:
    metadata = f.metadata()
    tensors = {name: f.get_tensor(name) for name in f.keys()}

h = 0xCBF29CE484222325


def add(data):
    global h
    for byte in data:
        h = (h ^ byte) * 0x100000001B3 % 2**64


for key, value in sorted(metadata.items(), key=lambda item: item[0].encode()):
    if key != "checksum":
        add(key.encode() + b"\0" + value.encode() + b"\0")
for name in sorted(tensors, key=str.encode):
    add(name.encode() + b"\0" + ",".join(map(str, tensors[name].shape)).encode() + b"\0")
    add(np.ascontiguousarray(tensors[name], "<f8").tobytes())

if metadata["checksum"] != f"fnv1a64:{h:016x}":
    sys.exit(f"checksum is {metadata['checksum']}, expected fnv1a64:{h:016x}")
save_file(tensors, path, metadata=metadata)
