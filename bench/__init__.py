"""The benchmark of authreset: `python -m bench --help`.

It looks at the product from outside alone (its commands, its port, its mails, /proc) and imports
none of its code.
"""
