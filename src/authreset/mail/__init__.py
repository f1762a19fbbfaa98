"""Letters: what they say, how they look as mail, and how they reach a mail server.

No database and no decision about who gets a letter ever lives here.
"""
