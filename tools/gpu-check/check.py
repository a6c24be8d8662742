#!/usr/bin/env python3
"""Runs kernels on the GPU: random einsums against float64, and a benchmark against torch. Called by gpu-check.sh.

Usage: check.py CONFORMANCE.json BENCH.json OUTPUT_FOLDER SECONDS
"""
import json
import math
import pathlib
import statistics
import sys
import time

import torch

from device import Driver, Kernel, random_tensor

# Largest error relative to the largest sum of absolute terms; integers must be exact.
TOLERANCE = {"f64": 1e-13, "c128": 1e-13, "f32": 2e-6, "c64": 2e-6, "f16": 2e-3, "bf16": 1.6e-2}


def einsum_in_double(text, operands):
    """The result in float64 on the CPU, and the sum of the absolute values of its terms."""
    wide = [o.cpu().to(torch.complex128 if o.is_complex() else torch.float64) for o in operands]
    return torch.einsum(text, *wide), torch.einsum(text, *(o.abs() for o in wide))


def wrapped(reference, dtype):
    """What integer arithmetic of a dtype leaves of an exact result."""
    bits = {"i8": 8, "u8": 8, "i16": 16, "i32": 32, "i64": 64}[dtype]
    value = reference.to(torch.int64)
    if bits == 64:
        return value
    value = value & ((1 << bits) - 1)
    if dtype.startswith("i"):
        value = torch.where(value >= 1 << (bits - 1), value - (1 << bits), value)
    return value


def conformance(driver, kernels, deadline):
    worst, wrong, run = {}, [], 0
    generator = torch.Generator(device="cuda").manual_seed(1)
    for description in kernels:
        if time.time() > deadline:
            break
        operands = [random_tensor(o, generator) for o in description["operands"]]
        try:
            kernel = Kernel(driver, description)
            results = kernel.results()
            kernel.prepare(operands, results)()
            torch.cuda.synchronize()
        except RuntimeError as failure:
            wrong.append({"name": description["name"], "expression": description["expression"], "error": str(failure)})
            if "illegal" in str(failure):
                break  # the context is lost
            continue
        run += 1
        dtype = description["results"][0]["dtype"]
        reference, scale = einsum_in_double(description["expression"], operands)
        got = results[0].cpu()
        if dtype in TOLERANCE:
            largest = max(float(scale.max()), 1e-300)
            error = float((got.to(reference.dtype) - reference).abs().max()) / largest
            fine = error <= TOLERANCE[dtype]  # false for NaN
        else:
            error = float((got.to(torch.int64) - wrapped(reference, dtype)).abs().max())
            fine = error == 0
        worst[dtype] = max(worst.get(dtype, 0), error) if not math.isnan(error) else error
        if not fine:
            types = [f"{o['dtype']}{o['shape']}" for o in description["operands"]]
            wrong.append({"name": description["name"], "expression": description["expression"], "types": types,
                          "error": error})
    return {"cases": run, "of": len(kernels), "wrong": wrong, "worst_error": worst}


def milliseconds(calls, seconds):
    """Median time of each call by events, in turns, so that a noisy moment hits all alike."""
    samples = [[] for _ in calls]
    for call in calls:
        for _ in range(3):
            call()
    torch.cuda.synchronize()
    end = time.time() + seconds
    while time.time() < end or len(samples[0]) < 5:
        for call, times in zip(calls, samples):
            start, stop = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
            start.record()
            call()
            stop.record()
            stop.synchronize()
            times.append(start.elapsed_time(stop))
    return [statistics.median(times) for times in samples]


def bench(driver, kernels, deadline):
    rows = []
    generator = torch.Generator(device="cuda").manual_seed(2)
    for number, description in enumerate(kernels):
        left = deadline - time.time()
        if left < 2:
            break
        text = description["expression"]
        operands = [random_tensor(o, generator) for o in description["operands"]]
        row = {"name": description["name"], "expression": text,
               "types": [f"{o['dtype']}{o['shape']}" for o in description["operands"]]}
        rows.append(row)
        try:
            kernel = Kernel(driver, description)
            results = kernel.results()
            ours = kernel.prepare(operands, results)
            theirs = lambda: torch.einsum(text, *operands).contiguous()  # noqa: E731
            if text.split("->")[0] == text.split("->")[1]:
                theirs = lambda: operands[0].clone()  # noqa: E731
            row["ein_ms"], row["torch_ms"] = milliseconds([ours, theirs], min(3, left / (len(kernels) - number)))
            expected = theirs().to(torch.float32)
            row["difference"] = float((results[0].to(torch.float32) - expected).abs().max() / expected.abs().max())
        except RuntimeError as failure:
            row["error"] = str(failure)
            continue
        extents = {}
        for labels, operand in zip(text.split("->")[0].split(","), description["operands"]):
            extents.update(zip(labels, operand["shape"]))
        tensors = operands + results
        row["ratio"] = row["torch_ms"] / row["ein_ms"]
        row["tflops"] = 2 * math.prod(extents.values()) / row["ein_ms"] * 1e-9
        row["gbs"] = sum(t.numel() * t.element_size() for t in tensors) / row["ein_ms"] * 1e-6
        del operands, results, kernel
        torch.cuda.empty_cache()
    return rows


def table(report):
    lines = [f"{report['device']}, driver {report['driver']}, torch {report['torch']}, {report['date']}", ""]
    c = report["conformance"]
    lines.append(f"conformance: {c['cases']} of {c['of']} cases run, {len(c['wrong'])} wrong")
    lines += [f"  {dtype:5} worst error {error:.3g}" for dtype, error in sorted(c["worst_error"].items())]
    lines += [f"  WRONG {w['expression']} {w.get('types', '')} {w['error']}" for w in c["wrong"][:20]]
    lines += ["", f"{'kernel':20} {'ein ms':>10} {'torch ms':>10} {'ratio':>7} {'TFLOP/s':>9} {'GB/s':>8}"]
    for row in report["bench"]:
        if "error" in row:
            lines.append(f"{row['name']:20} {row['error']}")
        else:
            lines.append(f"{row['name']:20} {row['ein_ms']:10.4f} {row['torch_ms']:10.4f} {row['ratio']:7.2f} "
                         f"{row['tflops']:9.1f} {row['gbs']:8.0f}")
    return "\n".join(lines) + "\n"


def main():
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    begin, budget = time.time(), float(sys.argv[4])
    driver = Driver()
    load = lambda path: json.loads(pathlib.Path(path).read_text())["kernels"]  # noqa: E731
    report = {"date": time.strftime("%Y-%m-%d %H:%M:%S %Z"), "device": torch.cuda.get_device_name(0),
              "driver": f"{driver.version // 1000}.{driver.version % 1000 // 10}", "torch": torch.__version__}
    # The benchmark has the last word on the clock, but a part of it that no random case can take.
    report["conformance"] = conformance(driver, load(sys.argv[1]), begin + budget * 0.6)
    report["bench"] = bench(driver, load(sys.argv[2]), begin + budget)
    report["seconds"] = time.time() - begin
    folder = pathlib.Path(sys.argv[3])
    (folder / "gpu-check.json").write_text(json.dumps(report, indent=1) + "\n")
    (folder / "gpu-check.txt").write_text(table(report))
    print(table(report), end="")
    sys.exit(1 if report["conformance"]["wrong"] else 0)


main()
