"""Uncertainty signals: a number a question, oriented so that higher is more uncertain.

Works on records; knows neither labels nor run files, so that no signal can look at what it is scored against.
"""
