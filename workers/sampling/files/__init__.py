"""Files of models: what may lie in a folder before any library opens it.

folder_rules        what a model's folder must look like
safetensors_header  what a safetensors file must look like
"""
