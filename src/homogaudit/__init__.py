"""Audit a local language model for response homogenization.

The package root imports nothing heavy: `homogaudit --help` and `import homogaudit` load no model library.
"""

__all__ = ["__version__"]

__version__ = "0.1.0"
