"""Tools for whoever works on a project: which project this is, and why its newest failure happened.

This package is the same in the model-build and in the model-deploy repository.
"""
