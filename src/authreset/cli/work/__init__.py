"""What is done for each verb: flows are called with the real parts, outcomes become answers."""
