"""From a recipe and seeds to pixels.

Light, for any process: recipes (what may share a batch), registry (model cards), contents (content hashes).
Heavy, for GPU workers: pipelines (loading rules, loaded pipelines), sampler (a claim in, images out).
Between them: safetensors_header and folder_rules, which refuse a model before any library opens it.
"""
