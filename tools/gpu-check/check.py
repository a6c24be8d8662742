#!/usr/bin/env python3
"""Runs kernels on the GPU: random einsums against float64, and a benchmark against torch. Called by gpu-check.sh.

Usage: check.py CONFORMANCE.json BENCH.json OUTPUT_FOLDER SECONDS [PART=STATUS...]

Writes gpu-check.json and gpu-check.txt after every part, so that they are there whatever ends it. PART=STATUS: what was
checked before. Exit codes: 0 fine, 1 something is wrong, 4 there is no PyTorch that sees a GPU.
"""
import json
import math
import pathlib
import statistics
import sys
import time

try:
    import torch

    from device import Driver, Kernel, random_tensor
    NO_TORCH = "" if torch.cuda.is_available() else "PyTorch sees no GPU"
except ImportError as absent:
    NO_TORCH = str(absent)

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


def verdict(driver, description, generator):
    """The dtype of a case, its error and whether that is small enough."""
    operands = [random_tensor(o, generator) for o in description["operands"]]
    kernel = Kernel(driver, description)
    results = kernel.results()
    kernel.prepare(operands, results)()
    torch.cuda.synchronize()
    dtype = description["results"][0]["dtype"]
    reference, scale = einsum_in_double(description["expression"], operands)
    got = results[0].cpu()
    if dtype in TOLERANCE:
        largest = max(float(scale.max()), 1e-300)
        error = float((got.to(reference.dtype) - reference).abs().max()) / largest
        return dtype, error, error <= TOLERANCE[dtype]  # false for NaN
    error = float((got.to(torch.int64) - wrapped(reference, dtype)).abs().max())
    return dtype, error, error == 0


def conformance(driver, kernels, deadline):
    worst, wrong, run = {}, [], 0
    generator = torch.Generator(device="cuda").manual_seed(1)
    for description in kernels:
        if time.time() > deadline:
            break
        types = [f"{o['dtype']}{o['shape']}" for o in description["operands"]]
        case = {"name": description["name"], "expression": description["expression"], "types": types}
        try:
            dtype, error, fine = verdict(driver, description, generator)
        except Exception as failure:  # whatever one case does, the others are run
            wrong.append({**case, "error": f"{type(failure).__name__}: {failure}"})
            if "illegal" in str(failure):
                break  # the context is lost
            continue
        run += 1
        worst[dtype] = max(worst.get(dtype, 0), error) if not math.isnan(error) else error
        if not fine:
            wrong.append({**case, "error": error})
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
        except Exception as failure:  # whatever one kernel does, the others are timed
            row["error"] = f"{type(failure).__name__}: {failure}"
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
    lines = [" ".join(f"{key} {report[key]}," for key in ("device", "driver", "torch") if key in report) + report["date"]]
    lines += ["", *(f"{part}: {status}" for part, status in report["parts"].items())]
    if c := report.get("conformance"):
        lines.append(f"conformance: {c['cases']} of {c['of']} cases run, {len(c['wrong'])} wrong")
        lines += [f"  {dtype:5} worst error {error:.3g}" for dtype, error in sorted(c["worst_error"].items())]
        lines += [f"  WRONG {w['expression']} {w['types']} {w['error']}" for w in c["wrong"][:20]]
    if "bench" in report:
        lines += ["", f"{'kernel':20} {'ein ms':>10} {'torch ms':>10} {'ratio':>7} {'TFLOP/s':>9} {'GB/s':>8}"]
    for row in report.get("bench", []):
        if "error" in row:
            lines.append(f"{row['name']:20} {row['error']}")
        else:
            lines.append(f"{row['name']:20} {row['ein_ms']:10.4f} {row['torch_ms']:10.4f} {row['ratio']:7.2f} "
                         f"{row['tflops']:9.1f} {row['gbs']:8.0f}")
    return "\n".join(lines) + "\n"


def write(report, folder, begin):
    report["seconds"] = time.time() - begin
    (folder / "gpu-check.json").write_text(json.dumps(report, indent=1) + "\n")
    (folder / "gpu-check.txt").write_text(table(report))


def main():
    if len(sys.argv) < 5:
        sys.exit(__doc__)
    begin, budget, folder = time.time(), float(sys.argv[4]), pathlib.Path(sys.argv[3])
    load = lambda path: json.loads(pathlib.Path(path).read_text())["kernels"]  # noqa: E731
    report = {"date": time.strftime("%Y-%m-%d %H:%M:%S %Z"), "parts": dict(p.split("=", 1) for p in sys.argv[5:])}
    parts = report["parts"]
    code = 1 if any(status.startswith("wrong") for status in parts.values()) else 0
    if NO_TORCH:
        parts["torch"] = f"absent, nothing was compared or timed: {NO_TORCH}"
        code = code or 4
    else:
        driver = Driver()
        report.update(device=torch.cuda.get_device_name(0), torch=torch.__version__,
                      driver=f"{driver.version // 1000}.{driver.version % 1000 // 10}")
        write(report, folder, begin)
        # The benchmark has the last word on the clock, but a part of it that no random case can take.
        report["conformance"] = conformance(driver, load(sys.argv[1]), begin + budget * 0.6)
        write(report, folder, begin)
        report["bench"] = bench(driver, load(sys.argv[2]), begin + budget)
        code = 1 if report["conformance"]["wrong"] else code
    write(report, folder, begin)
    print(table(report), end="")
    sys.exit(code)


main()
