"""Labels of greedy answers: judges that compare with reference answers, and the refusal rules.

Works on records; knows neither run files nor what is computed from labels.
"""
