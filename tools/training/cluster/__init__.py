"""Trainings on a Ray cluster: the same computing process, run on another host."""
