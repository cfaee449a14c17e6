"""Preview: what a check tells of a request before it is stored.

forecast   GPU seconds, money, and when it is finished
reuse      pictures that are there already, and why the others are drawn
"""
