"""How guessable a password is, as zxcvbn sees it. What follows is decided in `rules/passwords`."""

from collections.abc import Sequence

from zxcvbn_rs_py import zxcvbn

from authreset.rules.passwords import Estimate

# Its time grows with the square of the length and more, while it holds the interpreter's lock: a
# text made of l33t signs takes 57 ms at 32 characters and 700 ms at 100. The rest of a password
# could only add to what the first 32 characters are worth.
LONGEST_ESTIMATED = 32
_MOST_WORDS = 64


def estimate_strength(password: str, words: Sequence[str]) -> Estimate:
    """Estimate the guesses for the first 32 characters of `password`, given known `words`.

    Cautious: what follows these characters is taken as worth nothing. Both are to be free of lone
    surrogates, as the password rule promises; otherwise UnicodeEncodeError.
    """
    result = zxcvbn(password[:LONGEST_ESTIMATED], list(words[:_MOST_WORDS]))
    return Estimate(guesses_log10=float(result.guesses_log10))
