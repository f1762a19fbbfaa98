"""What runs the example clients: toolchains, an authreset to call, its letters, the report.

Never the clients themselves; each of those stands alone in its own directory.
"""
