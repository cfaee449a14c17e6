"""Sampling: from a recipe and seeds to pixels.

Any process may import these:
registry            model cards
extras              cards of upscalers and adapters
contents            content hashes
folder_rules        what a model folder must look like
safetensors_header  what a safetensors file must look like
types               what the sampler returns

Worker processes only:
pipelines           checks and loads pipelines
adapters            LoRAs on and off
enlarge             upscalers
sampler             a claim in, pixels out
"""
