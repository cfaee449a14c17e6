"""Files of models: what may lie in a folder before any library opens it.

adding              a new model, under its name in one rename
digests             digests of files, computed once a process
folder_rules        what a model's folder must look like
needed              which files of a downloaded folder a pipeline needs
new_card            the card of a model that was just added
single_file         checkpoints converted to a folder
sources             folders, S3 and the model hub
safetensors_header  what a safetensors file must look like
"""
