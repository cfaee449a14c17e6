"""Cost of images: what they take of a device, and what that is in money.

prices   price list: an hour of each device class, in the installation's currency
forecast  what images will take, from batches that were measured here
finish    when a request is finished, from turns and the last hour
limits   of a budget: images, GPU seconds, money
used     how long a claim held its device, and the share of each item
"""
