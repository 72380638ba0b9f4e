"""Writes the archives' hashes into the product template.

The template names each archive's key with a token, ``seed/modelbuild-@modelbuild-sha256@.zip``; a published template
names it with the hash, so that a published version always seeds from the very archives it was published with.
"""

import re
from collections.abc import Mapping

from seed_code import SeedError

_ANY_TOKEN = re.compile(r"@[A-Za-z0-9_-]+-sha256@")


def render(template: str, hashes: Mapping[str, str], where: str = "the template") -> str:
    """Replace each token ``@<name>-sha256@`` by ``hashes[name]``; ``where`` names the template in errors.

    Raises SeedError unless every name's token occurs exactly once and no other token is left.
    """
    for name, sha256 in hashes.items():
        token = f"@{name}-sha256@"
        if (found := template.count(token)) != 1:
            raise SeedError(
                f"{where} must name the archive of {name} exactly once, as seed/{name}-{token}.zip; "
                f"the token occurs {found} times."
            )
        template = template.replace(token, sha256)
    if left := sorted(set(_ANY_TOKEN.findall(template))):
        raise SeedError(
            f"{where} names archives that nothing packs: {', '.join(left)}. Known are {', '.join(sorted(hashes))}."
        )
    return template
