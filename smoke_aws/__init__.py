"""The story of the rehearsal, played on AWS: ``make smoke-aws``.

``run`` is the order of things; ``account`` is AWS as the story sees it, ``budget`` what it may cost, ``clean_up`` how
everything goes again; ``trail`` reads what the roles really called, ``calls`` says which action that was, and
``comparison`` holds it against what a rehearsal recorded.
"""
