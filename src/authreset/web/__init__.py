"""The HTTP edge: the API, the hosted pages and what they look like."""
