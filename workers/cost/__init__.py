"""Cost of images: what they take of a device, and what that is in money.

prices   price list: an hour of each device class, in the installation's currency
used     how long a claim held its device, and the share of each item
"""
