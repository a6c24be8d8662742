#!/usr/bin/env python3
"""Lists of kernels for gpu-check.sh, as `einc compile @LIST` reads them.

Usage: cases.py conformance COUNT SEED | cases.py bench
"""
import math
import random
import sys

DTYPES = ["f32", "bf16", "f16", "f64", "c64", "i32", "i64", "i8", "u8"]


def shape_of(labels, extents):
    return ",".join(str(extents[label]) for label in labels)


def random_case(rng):
    """An einsum of one to three operands: contractions, batches, diagonals, sums, permutations."""
    letters = rng.sample("abcdefgh", rng.randint(1, 6))
    dtype = rng.choice(DTYPES)
    sizes = [1, 2, 3, 5, 8, 16, 17, 31, 32, 33, 64, 100, 128, 130]
    while True:
        extents = {label: rng.choice(sizes) for label in letters}
        operands = []
        for _ in range(rng.choice([1, 1, 2, 2, 2, 3])):
            labels = rng.sample(letters, rng.randint(1, min(4, len(letters))))
            if rng.random() < 0.1:
                labels.append(rng.choice(labels))  # a diagonal
            operands.append("".join(labels))
        used = sorted(set("".join(operands)))
        output = "".join(rng.sample(used, rng.randint(0, min(4, len(used)))))
        points = math.prod(extents[label] for label in used)
        largest = max(math.prod(extents[label] for label in operand) for operand in operands)
        if points <= 1 << 26 and largest <= 1 << 20:
            break
    types = " ".join(f"'{dtype}[{shape_of(o, extents)}]'" for o in operands)
    return f"'{','.join(operands)}->{output}' {types}"


BENCH = [
    ("gemm-bf16-4096", "ik,kj->ij", "bf16[4096,4096]", "bf16[4096,4096]"),
    ("gemm-bf16-8192", "ik,kj->ij", "bf16[8192,8192]", "bf16[8192,8192]"),
    ("gemm-f16-4096", "ik,jk->ij", "f16[4096,4096]", "f16[4096,4096]"),
    ("gemm-f32-2048", "ik,kj->ij", "f32[2048,2048]", "f32[2048,2048]"),
    ("scores-bf16", "bqhd,bkhd->bhqk", "bf16[4,1024,16,128]", "bf16[4,1024,16,128]"),
    ("values-bf16", "bhqk,bkhd->bqhd", "bf16[4,16,1024,1024]", "bf16[4,1024,16,128]"),
    ("batched-bf16", "bij,bjk->bik", "bf16[64,512,512]", "bf16[64,512,512]"),
    ("tccg-abcd-f32", "eafb,fdec->abcd", "f32[48,32,48,24]", "f32[48,32,48,24]"),
    ("copy-f32", "ij->ij", "f32[8192,16384]"),
    ("transpose-f32", "ij->ji", "f32[8192,16384]"),
    ("transpose-bf16", "ij->ji", "bf16[16384,16384]"),
    ("permute-f32", "abcd->dbca", "f32[64,96,128,160]"),
    ("row-sum-f32", "ij->i", "f32[8192,16384]"),
    ("column-sum-f32", "ij->j", "f32[8192,16384]"),
    ("sum-f32", "ij->", "f32[8192,16384]"),
    ("hadamard-bf16", "ij,ij->ij", "bf16[16384,16384]", "bf16[16384,16384]"),
    ("outer-f32", "i,j->ij", "f32[8192]", "f32[16384]"),
    ("matrix-vector-f32", "ij,j->i", "f32[16384,16384]", "f32[16384]"),
]


def main():
    if sys.argv[1:2] == ["bench"]:
        for name, text, *types in BENCH:
            print(f"{name.replace('-', '_')} '{text}' " + " ".join(f"'{t}'" for t in types))
    elif sys.argv[1:2] == ["conformance"] and len(sys.argv) == 4:
        rng = random.Random(int(sys.argv[3]))
        for i in range(int(sys.argv[2])):
            print(f"case{i} {random_case(rng)}")
    else:
        sys.exit(__doc__)


main()
