#!/usr/bin/env python3
"""Refuses an include that points in a forbidden direction (docs/architecture.md, "Who may include whom").

Usage: layering.py [ROOT] | layering.py --self-test
"""
import pathlib
import re
import shutil
import sys
import tempfile

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)
SOURCES = {".h", ".cpp", ".c", ".cc", ".hpp", ".inc", ".td", ".def"}
LLVM = ("mlir/", "llvm/", "lld/", "clang/", "mlir-c/", "llvm-c/")
NOTATION = ("compiler/Subscripts/", "compiler/IndexNotation/", "compiler/Cascades/", "compiler/Paths/",
            "compiler/Adjoints/", "compiler/Generic/")

# Layer -> what of ours it may include. The first layer whose folder holds a file is the file's.
LAYERS = [
    ("include/ein/", ("ein/",)),
    *((folder, ("ein/",) + NOTATION) for folder in NOTATION),
    ("compiler/", ("ein/", "compiler/")),
    ("runtime/", ("ein/", "runtime/")),
]
OURS = ("ein/", "compiler/", "runtime/", "tools/", "tests/", "bench/", "python/")
WITH_LLVM = ("compiler/",)


def refusal(path, spelled, quoted, root):
    """Why the file at `path` (relative to the root) may not include `spelled`; None if it may."""
    layer = next((entry for entry in LAYERS if path.startswith(entry[0])), None)
    if layer is None:  # tools, tests, bench, python: anything
        return None
    folder, allowed = layer
    target = spelled
    if spelled.startswith("../") or "/../" in spelled:
        return "relative paths hide the layer"
    if quoted and not spelled.startswith(OURS + LLVM) and (root / path).parent.joinpath(spelled).exists():
        target = str(pathlib.PurePosixPath(path).parent / spelled)
        target = target.removeprefix("include/")
    if target.startswith("include/"):
        return 'public headers are included as "ein/..."'
    if target.startswith(LLVM):
        below = folder in WITH_LLVM
        return None if below else f"{folder} stands without MLIR and LLVM"
    if target.startswith(OURS) and not target.startswith(allowed):
        return f"{folder} may include only {', '.join(allowed)}"
    if folder == "include/ein/" and "/" in target and not target.startswith("ein/"):
        return "public headers include the C++ standard library only"
    if folder == "include/ein/" and target.endswith(".h") and not target.startswith("ein/"):
        return "public headers include the C++ standard library only"
    return None


def check(root):
    """All refusals under `root`, as lines to print."""
    found = []
    for top in ("include", "compiler", "runtime"):
        for file in sorted((root / top).rglob("*")):
            if file.suffix not in SOURCES or not file.is_file():
                continue
            path = file.relative_to(root).as_posix()
            text = file.read_text(errors="replace")
            for match in INCLUDE.finditer(text):
                why = refusal(path, match[2], match[1] == '"', root)
                if why:
                    line = text.count("\n", 0, match.start(2)) + 1
                    found.append(f"{path}:{line}: error: include of {match[2]}: {why}")
    return found


# A file to plant and an include in it that must be refused.
WRONG = [
    ("include/ein/Planted.h", '#include "runtime/Loader.h"'),
    ("include/ein/Planted.h", "#include <xxhash.h>"),
    ("include/ein/Planted.h", '#include "compiler/Compile.h"'),
    ("compiler/Subscripts/Planted.cpp", "#include <mlir/IR/MLIRContext.h>"),
    ("compiler/Paths/Planted.cpp", '#include "compiler/Lowering/Lowering.h"'),
    ("compiler/IndexNotation/Planted.cpp", '#  include "llvm/ADT/SmallVector.h"'),
    ("compiler/Generic/Planted.cpp", '#include "compiler/Lowering/StepTime.h"'),
    ("compiler/Lowering/Planted.cpp", '#include "runtime/Loader.h"'),
    ("compiler/Transforms/Planted.cpp", '#include "tools/einc/Npy.h"'),
    ("runtime/Planted.cpp", '#include "compiler/Compile.h"'),
    ("runtime/Planted.cpp", '#include "llvm/IR/Module.h"'),
    ("runtime/Types/Planted.cpp", '#include "../../compiler/Compile.h"'),
    ("runtime/Planted.cpp", '#include "tests/Planted.h"'),
    ("compiler/Codegen/Planted.cpp", '#include "bench/Planted.h"'),
]
RIGHT = [
    ("include/ein/Planted.h", '#include "ein/DType.h"\n#include <vector>'),
    ("compiler/Paths/Planted.cpp", '#include "ein/Error.h"\n#include "compiler/IndexNotation/Program.h"'),
    ("compiler/Lowering/Planted.cpp", '#include "compiler/Paths/Flatten.h"\n#include "mlir/IR/MLIRContext.h"'),
    ("runtime/Planted.cpp", '#include "runtime/Loader.h"\n#include "ein/Kernel.h"\n#include <dlfcn.h>'),
    ("tools/Planted.cpp", '#include "compiler/Compile.h"\n#include "runtime/Loader.h"'),
]


def self_test(root):
    """Plants each include in a copy of the tree: the wrong ones are refused, the right ones are not."""
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder)
        for top in ("include", "compiler", "runtime"):
            shutil.copytree(root / top, copy / top)
        for cases, refused in ((WRONG, True), (RIGHT, False)):
            for name, include in cases:
                planted = copy / name
                planted.parent.mkdir(parents=True, exist_ok=True)
                planted.write_text(f"// Planted.\n{include}\n")
                if any(line.startswith(name + ":2:") for line in check(copy)) != refused:
                    print(f"{name}: {include}: should be {'refused' if refused else 'accepted'}")
                    failures += 1
                planted.unlink()
    print(f"layering self-test: {len(WRONG) + len(RIGHT)} cases, {failures} failures")
    return failures


def main():
    here = pathlib.Path(__file__).resolve().parent.parent
    if "--self-test" in sys.argv[1:]:
        return 1 if self_test(here) else 0
    found = check(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else here)
    print("\n".join(found) if found else "layering: fine")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
