"""Delivery: files as they leave the installation.

file_names  safe names from templates and data
"""
