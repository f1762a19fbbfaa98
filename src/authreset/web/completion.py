"""The flows of the way back, from a link to a new password, made from the parts of the edge."""

from authreset.flows.inspect_reset import InspectReset
from authreset.flows.judge_password import JudgePassword
from authreset.flows.redeem_reset import RedeemReset
from authreset.web.parts import WebParts


def make_judge(parts: WebParts) -> JudgePassword:
    """Return what judges new passwords."""
    return JudgePassword(
        hasher=parts.hasher,
        estimate=parts.estimate,
        minimum_length=parts.settings.password_minimum,
    )


def make_redeem(parts: WebParts) -> RedeemReset:
    """Return what sets a password by a link; its `inspect` looks at one."""
    inspect = InspectReset(
        database=parts.database,
        keyring=parts.keyring,
        judge=make_judge(parts),
        clock=parts.clock,
    )
    return RedeemReset(inspect=inspect, new_id=parts.new_id)
