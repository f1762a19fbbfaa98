"""Tests of the program that measures what a caller can learn, and a short run of it."""
