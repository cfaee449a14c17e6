"""GPU benchmark: the engine beside plain diffusers on one device, each way to draw faster on and off, the device's use.

published   models in their published configurations, with random weights, and tiny ones for the smoke mode
rig         one such model, drawn by the engine or by plain diffusers
machine     what the device can do at most, and how much of the time it works
line        pictures drawn and marked side by side, as a worker does
rows        what is measured, a row each
"""
