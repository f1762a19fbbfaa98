"""Tests of authreset."""
