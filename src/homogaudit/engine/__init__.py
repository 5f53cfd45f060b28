"""The process that owns a run, and its supervisor in the process of whoever watches."""
