"""Recall rows: which assets an order covers, and how far it has come."""
