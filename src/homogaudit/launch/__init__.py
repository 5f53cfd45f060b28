"""What comes before an engine starts, the same for commands and screens: which model, questions, judge, run file.

It makes a `Job`; it starts no engine and prints nothing.
"""
