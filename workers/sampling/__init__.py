"""From a recipe and seeds to pixels.

Light, for any process: recipes (what may share a batch), registry (model cards), contents (content hashes),
extras (cards of upscalers and adapters), types (what the sampler gives back), safetensors_header and folder_rules
(what a model's folder must look like).
Heavy, for GPU workers: pipelines (checks and loads models), adapters (LoRAs on and off), enlarge (upscalers),
sampler (a claim in, pixels out).
"""
