"""Measures what a caller can learn from answers and their timing. Knows no outcome of a request.

It drives authreset as shipped, over its own commands and sockets; only `people` imports it.
"""
