"""Writes the archives' keys into the product template.

The template names each archive's key with a token, ``seed/modelbuild-@modelbuild-sha256@.zip``; a published template
names it with the hash, so that a published version always uses the very archives it was published with.
"""

import re
from collections.abc import Iterable

from seed_code import SeedError
from seed_code.archive import Archive

_ANY_TOKEN = re.compile(r"@[A-Za-z0-9_-]+-sha256@")


def render(template: str, archives: Iterable[Archive], where: str = "the template") -> str:
    """Replace the placeholder of each archive by its key; ``where`` names the template in errors.

    Raises SeedError unless every placeholder occurs exactly once and no other token is left.
    """
    known = []
    for archive in archives:
        known.append(archive.source.name)
        placeholder = archive.source.placeholder
        if (found := template.count(placeholder)) != 1:
            raise SeedError(
                f"{where} must name the archive of {archive.source.folder} exactly once, as {placeholder}; "
                f"that occurs {found} times."
            )
        template = template.replace(placeholder, archive.key)
    if left := sorted(set(_ANY_TOKEN.findall(template))):
        raise SeedError(
            f"{where} names archives that nothing packs: {', '.join(left)}. Known are {', '.join(sorted(known))}."
        )
    return template
