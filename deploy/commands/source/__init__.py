"""Commands of `presswork source`: buckets of one's own that inputs and feeds are read from.

group   presswork source
add     presswork source add
list    presswork source list
remove  presswork source remove
"""
