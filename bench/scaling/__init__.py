"""How cost grows with size on PostgreSQL: `python -m bench.scaling --help`.

Unlike the benchmark beside it, which looks at the product from outside, this calls the product's
own functions against databases that were filled by SQL, for no caller could fill them in time.
"""
