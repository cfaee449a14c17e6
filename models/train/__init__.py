"""Training of the built-in model: from two packages of pictures to a folder that diffusers loads.

sources    the packages with the pictures, at fixed digests
goods      what the model learns to draw, by name, plural and synonym
sprites    cut-outs on transparent ground
scenes     what a caption can say, and its picture
captions   captions as people write them
brand      a second style, for the LoRA
latents    the latent space, known before training
dataset    scenes kept as latents
network    the networks
muon       the optimiser
text       the text encoder
denoiser   the UNet
decoder    the VAE
lora       a LoRA for the second style
folder     the trained parts as a diffusers folder
evaluation run of it on a finished folder, and on a LoRA
evaluate   fresh prompts and two scorers
gradients  the scorer that knows no template
record     what training cost
card       the cards, written from data
"""
