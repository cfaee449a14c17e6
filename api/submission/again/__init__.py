"""Requests that take up an earlier one.

channels  its released pictures in other files, made of kept drawings
"""
