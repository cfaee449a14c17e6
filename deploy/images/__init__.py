"""Images: the Dockerfile, the hash-locked lists that it installs, and the list for CPUs.

sbom          what is inside an image, as CycloneDX
without_cuda  the worker's list without torch and CUDA
"""
