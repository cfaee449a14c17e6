"""Images: the Dockerfile, the hash-locked lists that it installs, and the list for CPUs.

without_cuda  the worker's list without torch and CUDA
"""
