"""The recipe of the built-in model: cut-outs, scenes, captions, latents, networks, a folder that diffusers loads."""
