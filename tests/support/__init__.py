"""What several tests share: real servers, never stand-ins for our own code."""
