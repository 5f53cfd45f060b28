"""How long a test waits for what must happen."""

PATIENCE = 600.0
"""Seconds until a wait is called a hang. No test measures speed by it: a loaded machine may need nearly all of them."""
