"""Stories from end to end: real programs, real HTTP, real mail, a real browser."""
