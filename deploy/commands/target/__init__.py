"""Commands of `presswork target`: buckets of one's own that released files are delivered to.

group   presswork target
add     presswork target add
list    presswork target list
check   presswork target check
remove  presswork target remove
named   the id of a target by its name
"""
