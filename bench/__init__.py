"""The benchmark of authreset: `python -m bench --help`.

It looks at the product from outside alone (its commands, its port, its mails, /proc); only
`bench.crowd` imports its code, to add users by the thousand.
"""
