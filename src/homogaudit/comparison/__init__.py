"""Two runs and more on the same questions: what differs, with intervals and tests, as one typed `Comparison`."""
