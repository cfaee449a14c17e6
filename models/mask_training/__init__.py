"""Training of the mask network: from cut-outs and formulas with a known alpha to an ONNX file with a card.

cutouts    goods as renders with their own transparency, in three sets that share none
formulas   goods drawn by formula: bottles, boxes, rings, frames
grounds    grounds drawn by formula, plain and busy
shots      one product on one ground, with its shadow and a camera's faults
dataset    shots that are drawn once and kept
network    the network
learning   training of it
export     the ONNX file and its card
evaluate   how near it comes on goods and grounds it never saw
"""
