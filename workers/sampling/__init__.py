"""Sampling: from a recipe and seeds to pixels.

Any process may import these:
cards/              cards of models, upscalers and adapters
families/           how diffusers serves each architecture
files/              what may lie in a model's folder
types               what the sampler returns
no_device           stands where others have a device

Worker processes only:
device/             what a worker knows of its device: names, energy, speed, batches that fit
pipelines           checks and loads pipelines
kept/               what text encoders and autoencoders made of the same input
resident            which pipelines stay in memory
prompts/            weights of words in prompts
given/              what pipelines get of the pictures that an item is made from
calls               from the options of a request to the arguments of a pipeline
schedulers          a fresh scheduler for each run
receipts/           what it takes to draw a picture again, and drawing it again
runs                one run of a pipeline
windows             prompts that no text encoder reads to their end
adapters            LoRAs on and off
enlarge             upscalers
references          networks that show a pipeline a picture, on and off
sampler             a claim in, pixels out
"""
