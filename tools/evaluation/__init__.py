"""Measuring models on rows that they have not seen, against baselines and each other."""
