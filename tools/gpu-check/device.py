"""Kernels of `einc compile`'s descriptions, launched through the CUDA driver on memory of PyTorch."""
import ctypes

import torch

TORCH = {
    "f32": torch.float32, "f64": torch.float64, "f16": torch.float16, "bf16": torch.bfloat16,
    "c64": torch.complex64, "c128": torch.complex128, "i8": torch.int8, "i16": torch.int16,
    "i32": torch.int32, "i64": torch.int64, "u8": torch.uint8, "bool": torch.bool,
}
MAX_DYNAMIC_SHARED = 8  # CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
MAP_TYPES = {"f16": 6, "f32": 7, "f64": 8, "bf16": 9}
MAP_TYPES_BY_BYTES = {1: 0, 2: 1, 4: 2, 8: 4}
MAP_SWIZZLES = {0: 0, 32: 1, 64: 2, 128: 3}


class Driver:
    """libcuda.so.1 in the context that PyTorch uses."""

    def __init__(self):
        torch.zeros(1, device="cuda")
        self.library = ctypes.CDLL("libcuda.so.1")
        version = ctypes.c_int()
        self.call("cuDriverGetVersion", ctypes.byref(version))
        self.version = version.value

    def call(self, function, *arguments):
        result = getattr(self.library, function)(*arguments)
        if result != 0:
            text = ctypes.c_char_p()
            self.library.cuGetErrorString(result, ctypes.byref(text))
            raise RuntimeError(f"{function}: {text.value.decode() if text.value else result}")


def element_bytes(dtype):
    return torch.empty(0, dtype=TORCH[dtype]).element_size()


class Kernel:
    """One entry of a description's `kernels`."""

    def __init__(self, driver, description):
        self.driver, self.description = driver, description
        self.workspace = torch.empty(max(1, description["workspace_bytes"]), dtype=torch.uint8, device="cuda")
        self.multiprocessors = torch.cuda.get_device_properties(0).multi_processor_count
        self.functions = []
        if not description["launches"]:
            return
        module = ctypes.c_void_p()
        driver.call("cuModuleLoadData", ctypes.byref(module), description["ptx"].encode())
        for launch in description["launches"]:
            function = ctypes.c_void_p()
            driver.call("cuModuleGetFunction", ctypes.byref(function), module, launch["kernel"].encode())
            if launch["shared_bytes"] > 48 << 10:
                driver.call("cuFuncSetAttribute", function, MAX_DYNAMIC_SHARED, launch["shared_bytes"])
            self.functions.append(function)
        self.maps = {}

    def results(self):
        """Row-major memory for the results, filled with what no kernel may leave."""
        made = []
        for result in self.description["results"]:
            tensor = torch.empty(result["shape"], dtype=TORCH[result["dtype"]], device="cuda")
            made.append(tensor.fill_(float("nan")) if tensor.is_floating_point() else tensor.fill_(1))
        return made

    def tensor_map(self, argument, address):
        key = (address, str(argument))
        if key not in self.maps:
            dims, size = argument["dims"], element_bytes(argument["dtype"])
            rank = len(dims)
            memory = ctypes.create_string_buffer(128 + 64)
            start = -ctypes.addressof(memory) % 64
            place = ctypes.addressof(memory) + start
            extents = (ctypes.c_uint64 * rank)(*(d["extent"] for d in dims))
            strides = (ctypes.c_uint64 * rank)(*(d["stride"] * size for d in dims[1:]))
            box = (ctypes.c_uint32 * rank)(*(d["box"] for d in dims))
            ones = (ctypes.c_uint32 * rank)(*([1] * rank))
            kind = MAP_TYPES.get(argument["dtype"], MAP_TYPES_BY_BYTES[size])
            self.driver.call("cuTensorMapEncodeTiled", ctypes.c_void_p(place), kind, rank, ctypes.c_void_p(address),
                             extents, strides, box, ones, 0, MAP_SWIZZLES[argument["swizzle"]], 3, 0)
            self.maps[key] = (memory, place)
        return self.maps[key][1]

    def value(self, argument, operands, results):
        """Memory that holds an argument, and its address."""
        if argument["kind"] in ("i32", "i64", "f32"):
            kind = {"i32": ctypes.c_int32, "i64": ctypes.c_int64, "f32": ctypes.c_float}[argument["kind"]]
            holder = kind(argument["value"])
            return holder, ctypes.addressof(holder)
        slot = {"operand": operands, "result": results, "workspace": [self.workspace]}[argument["slot"]]
        address = slot[argument["number"]].data_ptr() + argument["offset"]
        if argument["kind"] == "tensor-map":
            return None, self.tensor_map(argument, address)
        holder = ctypes.c_uint64(address)
        return holder, ctypes.addressof(holder)

    def prepare(self, operands, results):
        """The launches for these tensors, as a function that puts them into PyTorch's stream."""
        calls = []
        for function, launch in zip(self.functions, self.description["launches"]):
            values = [self.value(argument, operands, results) for argument in launch["arguments"]]
            pointers = (ctypes.c_void_p * len(values))(*(address for _, address in values))
            grid = list(launch["grid"])
            if launch["persistent"]:
                cluster = launch["cluster"][0]
                grid[0] = max(cluster, min(grid[0], self.multiprocessors) // cluster * cluster)
            calls.append((function, grid, launch["block"], launch["shared_bytes"], pointers, values))
        library = self.driver.library

        def run():
            stream = ctypes.c_void_p(torch.cuda.current_stream().cuda_stream)
            for function, grid, block, shared, pointers, _ in calls:
                result = library.cuLaunchKernel(function, *grid, *block, shared, stream, pointers, None)
                if result != 0:
                    raise RuntimeError(f"cuLaunchKernel returned {result}")

        return run


def random_tensor(operand, generator):
    """Small integers for integers, else normal numbers, on the GPU."""
    dtype = TORCH[operand["dtype"]]
    shape = operand["shape"]
    if dtype.is_floating_point or dtype.is_complex:
        wide = torch.complex128 if dtype.is_complex else torch.float32
        return torch.randn(shape, dtype=wide, device="cuda", generator=generator).to(dtype)
    low = 0 if operand["dtype"] in ("u8", "bool") else -3
    return torch.randint(low, 4, shape, device="cuda", generator=generator).to(dtype)
