"""Turns source folders into the archives a launched project is made from: two seeds, and the code of its functions.

``archive`` packs what git tracks, ``render`` writes the archives' keys into the product template.
Nothing here speaks to AWS: ``service_catalog`` uploads the results.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """A folder that is packed. ``stem`` is how its archive's key begins, ``name`` what its token is called.

    With ``modules_only`` just the Python modules that lie directly in the folder are packed: no tests, no notes.
    """

    name: str
    folder: str
    stem: str
    modules_only: bool = False

    @property
    def placeholder(self) -> str:
        """How the product template names the archive before it is published."""
        return self.key(f"@{self.name}-sha256@")

    def key(self, sha256: str) -> str:
        """Where the archive lies in the bucket of everything published."""
        return f"{self.stem}-{sha256}.zip"


SEEDS = (
    Source("modelbuild", "build_repo", "seed/modelbuild"),
    Source("modeldeploy", "deploy_repo", "seed/modeldeploy"),
)
FUNCTIONS = Source("functions", "cloudformation/functions", "functions/project", modules_only=True)
SOURCES = (*SEEDS, FUNCTIONS)


class SeedError(Exception):
    """An archive or the template cannot be packed. The message says what, where, and what to do next."""
