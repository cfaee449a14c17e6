"""Identification of pictures: whether any file from anywhere shows an asset of ours, and with which evidence.

search       the whole pipeline: manifest, watermark, candidates, comparison, decision
answer       the result with its evidence
decide       weighs the evidence; computes the false-match probability
index        candidates by similarity, in memory
hashes       perceptual hashes by Hamming distance
features     local features (RootSIFT)
descriptors  features as 64-bit binary descriptors, split into visual words
low_texture  pictures without features, by their coarse colours
views        the query as it is, turned, mirrored, and the pictures inside it
regions      rectangles of a screenshot that may be pictures
examine      one candidate: registered, compared, its watermark read in place
original     an original as a comparison needs it
fit          one registration of the picture to an original
register     the map from the query's pixels to the original's
code_read    the watermark of a registered copy, held against one id
content/     how alike a registered copy and its original are, and where they differ
"""
