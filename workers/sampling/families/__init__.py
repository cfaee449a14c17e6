"""Pipeline families: how diffusers serves each architecture, as data. Light: any process may import it.

family        what a family says of itself
schedulers    schedulers by what their model predicts
presets       steps, guidance and scheduler of distilled models
classes       names of component classes that several families share
unets         families around a UNet
transformers  families around a diffusion transformer
table         all of them, found by the pipeline class that a card names
"""
