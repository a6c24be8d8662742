#!/usr/bin/env python3
"""Prints the reports of `einc run --check --time --json`, given as files, as one table."""
import json
import pathlib
import sys

HEAD = ("name", "expression", "shapes", "time ms", "GFLOP/s", "max error", "bound", "verdict")


def row(path):
    try:
        report = json.loads(path.read_text())
    except ValueError:  # einc failed and has said why
        return (path.stem, "", "", "", "", "", "", "FAILED")
    text = report["expression"]
    operands = " ".join(report["operands"])
    return (
        path.stem,
        text if "\n" not in text else f"Program of {text.count(chr(10)) + 1} lines",
        operands if len(operands) < 64 else operands.split()[0] + f" and {len(report['operands']) - 1} more",
        f"{report['median_s'] * 1e3:.3f}",
        f"{report['gflops']:.2f}",
        f"{report['max_error']:.1e}",
        f"{report['bound']:.1e}",
        report["check"],
    )


def main():
    rows = [HEAD] + [row(pathlib.Path(name)) for name in sys.argv[1:]]
    widths = [max(len(r[c]) for r in rows) for c in range(len(HEAD))]
    for r in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(r, widths)).rstrip())


if __name__ == "__main__":
    main()
