"""The report of a run: built once from the run file, then only formatted.

`build` makes a `Report`; `json`, `markdown` and `console` show it. The package draws, clusters, judges and stores
nothing.
"""
