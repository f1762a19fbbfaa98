"""The drill itself, and what it found."""
