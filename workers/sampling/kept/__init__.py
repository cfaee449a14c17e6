"""Kept outputs: what networks around the denoiser made is given again for the same input, to the last bit.

embeddings  of text encoders, by their tokens
latents     of autoencoders, by the pixels of a source
"""
