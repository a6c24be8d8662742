"""Calls the forking library of compile-library.test: R[b,x] = sum[q](Q[b,q] K[q,b,x]), all ones."""
import ctypes
import sys

B, Q, X = 64, 1024, 64


def tensor(count, value):
    return (ctypes.c_float * count)(*([value] * count))


library = ctypes.CDLL(sys.argv[1])
result = tensor(B * X, -1)
status = library.forks(tensor(B * Q, 1), tensor(Q * B * X, 1), result)
print("status", status, "wrong", sum(value != Q for value in result))
