"""Masks: which pixels of a picture are the product, how sure that is, and what is made with it. Heavy: loads OpenCV.

mask          a mask, its file and its digest; checks of a supplied one
measures      area, border, parts and softness of a mask, and its score
choose        the mask of a picture: from alpha, supplied, or by a network
network       the mask network that ships, run by onnxruntime
ground        a mask by the colour of a uniform ground
"""
