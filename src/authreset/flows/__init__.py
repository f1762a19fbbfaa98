"""One verb a file: what the product does. Expected refusals are values, exceptions are faults."""
