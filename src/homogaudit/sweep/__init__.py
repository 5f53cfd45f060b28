"""Sweeps: runs of one question file under several settings, in one folder, and the table of what each gives.

It reads run files and draws nothing; `launch` plans the runs.
"""
