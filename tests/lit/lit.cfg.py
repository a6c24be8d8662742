"""lit configuration: %einc and %ein-opt are the programs of this build, %exactly is FileCheck for whole lines.

Features are what this CPU can run: x86-64-v3 (AVX2, FMA) and x86-64-v4 (AVX-512); and ptxas, where it is installed."""
import os
import shutil

import lit.formats

config.name = "ein"
config.test_format = lit.formats.ShTest(execute_external=True)
config.suffixes = [".test", ".mlir", ".ein"]
config.excludes = ["Inputs"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = os.path.join(config.ein_build, "tests", "lit")

tools = os.path.join(config.ein_build, "bin")
ein_opt = os.path.join(tools, "ein-opt")
if config.ein_sanitize == "thread":
    # MLIR is not instrumented: how its pool of threads orders what passes do is not seen. einc has no such pool.
    ein_opt += " --mlir-disable-threading"
config.substitutions.append(("%ein-opt", ein_opt))
config.substitutions.append(("%einc", os.path.join(tools, "einc")))
config.substitutions.append(("%exactly", "FileCheck --strict-whitespace --match-full-lines"))
config.substitutions.append(("%demo", os.path.join(config.ein_source, "tools", "demo")))
config.environment["PATH"] = os.path.pathsep.join((config.llvm_tools, config.environment["PATH"]))
config.environment["NO_COLOR"] = "1"
# What this user has cached and tuned is no part of a test.
config.environment["EIN_CACHE"] = "0"

with open("/proc/cpuinfo") as cpuinfo:
    flags = next((set(line.split()) for line in cpuinfo if line.startswith("flags")), set())
if {"avx2", "fma"} <= flags:
    config.available_features.add("x86-64-v3")
if {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"} <= flags:
    config.available_features.add("x86-64-v4")
if shutil.which("ptxas"):
    config.available_features.add("ptxas")
