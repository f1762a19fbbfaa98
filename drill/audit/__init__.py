"""The audit: what was promised against what callers, mail server and database say.

Each check is a generator of violations over the same evidence; none of them knows what was broken
meanwhile, for no fault excuses a broken promise.
"""

from itertools import chain

from drill.audit.calls import check_calls
from drill.audit.evidence import Index, Violation
from drill.audit.leases import check_leases
from drill.audit.letters import check_letters
from drill.audit.links import check_links
from drill.audit.requests import check_requests
from drill.ledgers import Evidence

CHECKS = (check_calls, check_requests, check_letters, check_links, check_leases)

__all__ = ["CHECKS", "Violation", "audit"]


def audit(evidence: Evidence) -> list[Violation]:
    """Return every violation that the evidence shows."""
    index = Index.of(evidence)
    return list(chain.from_iterable(check(index) for check in CHECKS))
