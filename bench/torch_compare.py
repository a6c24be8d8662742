#!/usr/bin/env python3
"""Times kernels that einc compiled beside PyTorch, interleaved in one process, on the CPU in f32.

    python3 -m venv venv && venv/bin/pip install torch numpy
    venv/bin/python bench/torch_compare.py --threads 1 [--build build/release] [--seconds 1] [--filter REGEX]

Attention against scaled_dot_product_attention, einsums against torch.einsum. A ratio above 1: ein is faster. Medians; both
results are compared. Exit codes: 0 fine, 1 a result differs, 2 usage.
"""
import argparse
import ctypes
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# (name, heads, heads of keys and values, queries, keys, head size, causal)
ATTENTION = [
    ("gpt2 h12 s1024 d64 causal", 12, 12, 1024, 1024, 64, True),
    ("vit-b h12 s197 d64", 12, 12, 197, 197, 64, False),
    ("vit-l h16 s577 d64", 16, 16, 577, 577, 64, False),
    ("whisper h20 s1500 d64", 20, 20, 1500, 1500, 64, False),
    ("h8 s512 d64", 8, 8, 512, 512, 64, False),
    ("h8 s1024 d64", 8, 8, 1024, 1024, 64, False),
    ("h8 s2048 d64", 8, 8, 2048, 2048, 64, False),
    ("h8 s1024 d128", 8, 8, 1024, 1024, 128, False),
    ("h8 s2048 d128 causal", 8, 8, 2048, 2048, 128, True),
    ("llama decode h32/8 k4096 d128", 32, 8, 1, 4096, 128, False),
]
EINSUMS = [
    ("ik,kj->ij", (512, 512), (512, 512)),
    ("ik,jk->ij", (1024, 1024), (1024, 1024)),
    ("bij,bjk->bik", (512, 32, 32), (512, 32, 32)),
    ("ijb,jkb->ikb", (32, 32, 512), (32, 32, 512)),
    ("bqhd,bkhd->bhqk", (4, 256, 8, 64), (4, 256, 8, 64)),
    ("bhqk,bkhd->bqhd", (4, 8, 256, 256), (4, 256, 8, 64)),
    ("abcd,aebf->dfce", (24, 24, 24, 24), (24, 24, 24, 24)),
    ("ij,jk->", (1024, 1024), (1024, 1024)),
    ("ij->ji", (4096, 4096), None),
    ("ijk->ik", (256, 256, 256), None),
]


def attention_text(size, causal):
    """Queries are grouped by the head of keys that they share."""
    mask = " | k <= q" if causal else ""
    return (
        "in Q: f32[h,g,q,d], K: f32[h,k,d], V: f32[h,k,d]\n"
        f"S[h,g,q,k] = sum[d](Q*K) * {size ** -0.5}\n"
        f"P = softmax[k{mask}](S)\n"
        "O[h,g,q,d] = sum[k](P*V)\n"
        "out O"
    )


class Kernel:
    """A C function that einc compiled, loaded with ctypes."""

    def __init__(self, einc, folder, number, text, shapes, result, threads):
        library = Path(folder) / f"libcase{number}.so"
        types = [word for shape in shapes for word in ("--type", "f32[" + ",".join(map(str, shape)) + "]")]
        command = [einc, "compile", text, *types, "--target", "native", "--threads", str(threads), "-o", str(library)]
        subprocess.run([*command, "--header", str(library.with_suffix(".h"))], check=True, stdout=subprocess.DEVNULL)
        header = library.with_suffix(".h").read_text()
        bytes_needed = int(re.search(r"_WORKSPACE_BYTES\s+(\d+)", header).group(1))
        self.function = getattr(ctypes.CDLL(str(library)), f"case{number}_ws")
        self.shape = result
        self.memory = (ctypes.c_char * (bytes_needed + 64))()
        address = ctypes.addressof(self.memory)
        self.workspace = ctypes.c_void_p(address + -address % 64)

    def __call__(self, tensors, out):
        pointers = [ctypes.c_void_p(t.data_ptr()) for t in (*tensors, out)]
        status = self.function(*pointers, self.workspace)
        if status:
            raise RuntimeError(f"the kernel returned {status}")


def interleave(calls, seconds):
    """Median seconds of each call, run in turn for about `seconds` each."""
    times = [[] for _ in calls]
    for call in calls:
        call()
    start = time.perf_counter()
    while len(times[0]) < 5 or time.perf_counter() - start < seconds * len(calls):
        for call, list_ in zip(calls, times):
            # Workers of the other one's pool go to sleep before this one is timed.
            time.sleep(0.003)
            begin = time.perf_counter()
            call()
            list_.append(time.perf_counter() - begin)
        if len(times[0]) >= 200:
            break
    return [statistics.median(list_) for list_ in times]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=str(Path(__file__).parent.parent / "build/release"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--filter", default="")
    arguments = parser.parse_args()
    os.environ.setdefault("KMP_BLOCKTIME", "1")
    os.environ.setdefault("GOMP_SPINCOUNT", "0")
    import torch

    torch.set_num_threads(arguments.threads)
    torch.manual_seed(1)
    einc = str(Path(arguments.build) / "bin/einc")
    cases = []
    for name, heads, shared, queries, keys, size, causal in ATTENTION:
        q = torch.randn(1, heads, queries, size)
        k, v = torch.randn(1, shared, keys, size), torch.randn(1, shared, keys, size)

        def attend(q=q, k=k, v=v, causal=causal):
            # One query sees every key, so that a mask would hide all but the first of them.
            return torch.nn.functional.scaled_dot_product_attention(
                q, k, v, is_causal=causal, enable_gqa=q.shape[1] != k.shape[1]
            )

        group = heads // shared
        shapes = [(shared, group, queries, size), (shared, keys, size), (shared, keys, size)]
        cases.append((name, attention_text(size, causal), shapes, (1, heads, queries, size), [q, k, v], attend))
    for text, *operands in EINSUMS:
        tensors = [torch.randn(*shape) for shape in operands if shape]

        def contract(text=text, tensors=tensors):
            # A transposed view costs nothing; what is compared is the stored result.
            return torch.einsum(text, *tensors).contiguous()

        result = tuple(torch.einsum(text, *tensors).shape)
        cases.append((text, text, [tuple(t.shape) for t in tensors], result, tensors, contract))

    failed = False
    print(f"torch {torch.__version__}, {arguments.threads} thread(s), f32")
    print(f"{'case':40} {'ein ms':>9} {'torch ms':>9} {'ratio':>6}")
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        for number, (name, text, shapes, result, tensors, peer) in enumerate(cases):
            if not re.search(arguments.filter, name):
                continue
            kernel = Kernel(einc, folder, number, text, shapes, result, arguments.threads)
            out = torch.full(result, float("nan"))
            kernel(tensors, out)
            wanted = peer()
            off = (out - wanted).abs().max().item() / max(wanted.abs().max().item(), 1e-30)
            ours, theirs = interleave([lambda: kernel(tensors, out), peer], arguments.seconds)
            note = "" if off < 1e-4 else f"  DIFFERS by {off:.2g} of the largest element"
            failed |= bool(note)
            print(f"{name:40} {ours * 1e3:9.3f} {theirs * 1e3:9.3f} {theirs / ours:6.2f}{note}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
