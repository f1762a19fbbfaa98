"""Tests of letters, their rendering and the carriers."""
