"""The drill: break things under load on purpose, then reconcile what was promised with what is.

It starts the product's own programs and looks at them from outside: over HTTP, from the mail
server's side, and in the database. Nothing here is part of the product.
"""
