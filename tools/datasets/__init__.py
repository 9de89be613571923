"""Datasets: adding, profiling, versioning and splitting labelled text."""
