"""Masks: which pixels of a picture are the product, how sure that is, and what is made with it. Heavy: loads OpenCV.

backgrounds   the tasks: a product cut out, and put on a new ground
mask          a mask, its file and its digest; checks of a supplied one
measures      area, border, parts and softness of a mask, and its score
choose        the mask of a picture: from alpha, supplied, or by a network
network       the mask network that ships, run by onnxruntime
ground        a mask by the colour of a uniform ground
matting       the exact share of product along the edge
foreground    the product's own colours in mixed pixels
compositing   a product on a new ground, its pixels kept bit for bit, and the proof
shadow        the shadow of a product on its ground
light         from which side light falls on a product
proof         that a delivered file shows the source's product: made, and repeated by a buyer
options       where a product stands, at what scale, with what shadow: values and their bounds
canvas        masks grown and feathered, room for outpainting, things cleared, exact pixels put back
control       line drawings that a control network follows
"""
