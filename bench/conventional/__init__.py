"""The yardstick: the same call as an ordinary good team would write it with FastAPI and an ORM.

One token look-up, one INSERT and one commit a request. It knows no mail, and is no product.
"""
