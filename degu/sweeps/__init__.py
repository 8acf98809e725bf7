"""Sweeps: many studies from one command, as jobs that are watched, fail alone, and are found again.

`degu run -m` reaches this package through two Hydra sweepers (`hydra_plugins/degu_sweeper.py`).
"""
