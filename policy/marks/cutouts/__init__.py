"""Cut-outs: products on transparent ground as PNG and WebP, with marks that hold whatever lies below them.

files    RGBA pixels to a file and back, alpha bit for bit
marker   marks a cut-out and reads every mark back from the final bytes
mark     the watermark in the opaque product, read back over white, black and a picture
"""
