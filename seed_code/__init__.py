"""Turns the source folders ``build_repo/`` and ``deploy_repo/`` into the archives a launched project is seeded from.

``archive`` packs what git tracks, ``render`` writes the archives' keys into the product template.
Nothing here speaks to AWS: ``service_catalog`` uploads the results.
"""

SEEDS: dict[str, str] = {"modelbuild": "build_repo", "modeldeploy": "deploy_repo"}
"""Seed name, as in keys and repository names -> the folder it is packed from."""


class SeedError(Exception):
    """A seed or the template cannot be packed. The message says what, where, and what to do next."""
