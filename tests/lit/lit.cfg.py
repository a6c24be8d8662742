"""lit configuration: %einc and %ein-opt are the programs of this build, %exactly is FileCheck for whole lines."""
import os

import lit.formats

config.name = "ein"
config.test_format = lit.formats.ShTest(execute_external=True)
config.suffixes = [".test", ".mlir", ".ein"]
config.excludes = ["Inputs"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = os.path.join(config.ein_build, "tests", "lit")

tools = os.path.join(config.ein_build, "bin")
config.substitutions.append(("%ein-opt", os.path.join(tools, "ein-opt")))
config.substitutions.append(("%einc", os.path.join(tools, "einc")))
config.substitutions.append(("%exactly", "FileCheck --strict-whitespace --match-full-lines"))
config.substitutions.append(("%demo", os.path.join(config.ein_source, "tools", "demo")))
config.environment["PATH"] = os.path.pathsep.join((config.llvm_tools, config.environment["PATH"]))
config.environment["NO_COLOR"] = "1"
