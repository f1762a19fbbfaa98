"""The operators' program, run as it is installed: arguments in, two streams and a status out."""
