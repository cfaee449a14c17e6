"""Tiny models: one instance of each pipeline family with random weights and the real architecture.

tokenizers          every letter is a token
parts               autoencoders, text encoders and image encoders
unets               pipelines around a UNet
references          networks that show a pipeline a picture
transformers        pipelines around a diffusion transformer
single_file         a checkpoint in one file
instances           all of them by name, built once a session, as folders with cards

`python -m tests.support.tiny_models.instances FOLDER` writes all of them.
"""
