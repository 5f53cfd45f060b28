"""Clustering of one question's answers: a similarity (jaccard, embedding, answer) and a linkage.

Works on texts, embeddings and records; knows neither run files nor statistics over questions.
"""
