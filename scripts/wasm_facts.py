#!/usr/bin/env python3
"""Prints the size of a WebAssembly module and whether its code uses 128-bit vectors.

usage: wasm_facts.py [--require-simd] [--most-gzipped BYTES] MODULE [OTHER_BUNDLE_FILE...]

--require-simd fails if the code section has no vector instruction. A build without `-Ctarget-feature=+simd128` works,
but is several times slower, and no other check would notice it. The script decodes the instructions one by one, because
a search for the prefix byte 0xFD would also find this byte inside constants. The decoder follows chapter 5 of the
WebAssembly core specification. An unknown instruction is an error.

--most-gzipped compresses each file with gzip, and fails if the results together have more than BYTES bytes.
"""

import argparse
import gzip
import sys
from pathlib import Path

CODE_SECTION = 10
VECTOR_PREFIX = 0xFD


class Reader:
    """Reads the module's bytes in order, from the position `at` on."""

    def __init__(self, data: bytes, at: int = 0):
        self.data = data
        self.at = at

    def byte(self) -> int:
        self.at += 1
        return self.data[self.at - 1]

    def skip(self, count: int) -> None:
        self.at += count
        if self.at > len(self.data):
            raise ValueError("the module ends too early")

    def leb(self) -> int:
        """Reads an unsigned LEB128 number."""
        value = shift = 0
        while True:
            piece = self.byte()
            value |= (piece & 0x7F) << shift
            shift += 7
            if piece < 0x80:
                return value

    def skip_leb(self) -> None:
        """Skips a signed or unsigned LEB128 number."""
        while self.byte() >= 0x80:
            pass

    def skip_lebs(self, count: int) -> None:
        for _ in range(count):
            self.skip_leb()

    def skip_memarg(self) -> None:
        flags = self.leb()  # alignment; bit 6 says that a memory index follows
        if flags & 0x40:
            self.skip_leb()
        self.skip_leb()


# Opcodes, grouped by their immediates.
NO_IMMEDIATE = {0x00, 0x01, 0x05, 0x0A, 0x0B, 0x0F, 0x19, 0x1A, 0x1B, 0xD1, 0xD3, *range(0x45, 0xC5)}
ONE_INDEX = {
    0x07,  # catch (legacy exceptions)
    0x08,  # throw
    0x09,  # rethrow
    0x0C,  # br
    0x0D,  # br_if
    0x10,  # call
    0x12,  # return_call
    0x14,  # call_ref
    0x15,  # return_call_ref
    0x18,  # delegate
    *range(0x20, 0x27),  # local.*, global.*, table.get, table.set
    0x3F,  # memory.size
    0x40,  # memory.grow
    0x41,  # i32.const
    0x42,  # i64.const
    0xD0,  # ref.null
    0xD2,  # ref.func
    0xD5,  # br_on_null
    0xD6,  # br_on_non_null
}
BLOCKS = {0x02, 0x03, 0x04, 0x06}  # block, loop, if, try: one block type, a signed LEB128
MEMORY = set(range(0x28, 0x3F))  # loads and stores

# After 0xFC: the number of LEB128 immediates of each sub-opcode.
MISC_INDEXES = {**dict.fromkeys(range(0, 8), 0), 8: 2, 9: 1, 10: 2, 11: 1, 12: 2, 13: 1, 14: 2, 15: 1, 16: 1, 17: 1}

# After 0xFD.
VECTOR_MEMORY = {*range(0, 12), 92, 93}  # v128.load*, v128.store, the zero-extending loads
VECTOR_LANE_MEMORY = set(range(84, 92))  # v128.load*_lane, v128.store*_lane
VECTOR_SIXTEEN_BYTES = {12, 13}  # v128.const, i8x16.shuffle
VECTOR_LANE = set(range(21, 35))  # extract_lane, replace_lane


def skip_try_table_catches(code: Reader) -> None:
    code.skip_leb()  # block type
    for _ in range(code.leb()):
        code.skip_lebs(2 if code.byte() < 2 else 1)  # catch, catch_ref: tag and label; others: label


def skip_vector_immediates(code: Reader) -> None:
    operation = code.leb()
    if operation in VECTOR_MEMORY:
        code.skip_memarg()
    elif operation in VECTOR_LANE_MEMORY:
        code.skip_memarg()
        code.skip(1)
    elif operation in VECTOR_SIXTEEN_BYTES:
        code.skip(16)
    elif operation in VECTOR_LANE:
        code.skip(1)
    elif operation > 0x113:
        raise ValueError(f"unknown vector instruction {operation:#x}")


def skip_atomic_immediates(code: Reader) -> None:
    if code.leb() == 0x03:  # atomic.fence
        code.skip(1)
    else:
        code.skip_memarg()


def skip_immediates(code: Reader, opcode: int) -> None:
    if opcode in NO_IMMEDIATE:
        return
    if opcode in ONE_INDEX or opcode in BLOCKS:
        code.skip_leb()
    elif opcode in MEMORY:
        code.skip_memarg()
    elif opcode in (0x11, 0x13):  # call_indirect, return_call_indirect
        code.skip_lebs(2)
    elif opcode == 0x0E:  # br_table
        code.skip_lebs(code.leb() + 1)
    elif opcode == 0x1C:  # select with types
        code.skip_lebs(code.leb())
    elif opcode == 0x1F:
        skip_try_table_catches(code)
    elif opcode == 0x43:  # f32.const
        code.skip(4)
    elif opcode == 0x44:  # f64.const
        code.skip(8)
    elif opcode == 0xFC:
        operation = code.leb()
        if operation not in MISC_INDEXES:
            raise ValueError(f"unknown instruction 0xfc {operation:#x}")
        code.skip_lebs(MISC_INDEXES[operation])
    elif opcode == VECTOR_PREFIX:
        skip_vector_immediates(code)
    elif opcode == 0xFE:
        skip_atomic_immediates(code)
    else:
        raise ValueError(f"unknown instruction {opcode:#x} at byte {code.at - 1}")


def vector_instructions(module: bytes) -> tuple[int, int]:
    """Counts the instructions in the module's code section. Returns (vector instructions, all instructions)."""
    if module[:8] != b"\0asm\1\0\0\0":
        raise ValueError("not a WebAssembly module")
    reader = Reader(module, 8)
    vector = total = 0
    while reader.at < len(module):
        section, size = reader.byte(), reader.leb()
        end = reader.at + size
        if section == CODE_SECTION:
            for _ in range(reader.leb()):
                found, seen = count_in_function(reader)
                vector += found
                total += seen
            if reader.at != end:
                raise ValueError("the code section was not decoded to its end")
        reader.at = end
    return vector, total


def count_in_function(reader: Reader) -> tuple[int, int]:
    size = reader.leb()
    end = reader.at + size
    for _ in range(reader.leb()):  # groups of locals: count and type
        reader.skip_lebs(2)
    vector = total = 0
    while reader.at < end:
        opcode = reader.byte()
        vector += opcode == VECTOR_PREFIX
        total += 1
        skip_immediates(reader, opcode)
    if reader.at != end:
        raise ValueError("a function was not decoded to its end")
    return vector, total


def kib(size: int) -> str:
    return f"{size / 1024:.0f} KiB"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--require-simd", action="store_true")
    parser.add_argument("--most-gzipped", type=int, metavar="BYTES")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    options = parser.parse_args()

    raw = packed = 0
    for path in options.files:
        data = path.read_bytes()
        size, zipped = len(data), len(gzip.compress(data, 9))
        raw, packed = raw + size, packed + zipped
        print(f"{path.name}: {kib(size)}, gzipped {kib(zipped)}")
    print(f"bundle: {kib(raw)}, gzipped {kib(packed)}")
    if options.most_gzipped is not None and packed > options.most_gzipped:
        print(f"error: the bundle has {packed} bytes gzipped; at most {options.most_gzipped} are allowed", file=sys.stderr)
        return 1

    module = options.files[0]
    vector, total = vector_instructions(module.read_bytes())
    print(f"simd128: {vector} vector instructions of {total}")
    if options.require_simd and vector == 0:
        print(f"error: {module} has no vector instruction: it was built without simd128", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
