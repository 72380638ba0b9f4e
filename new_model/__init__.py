"""Makes a new model's repositories out of the seeds and a table of the user's: `make new-model`.

``table`` reads it, ``label`` and ``columns`` decide what each column is, ``contract`` and ``golden`` write that down
as the seeds expect it, ``repositories`` copies the seeds, ``baseline`` trains once with the seed's own code to set the
gate. What a new repository holds as files of its own lies in ``templates/``.
"""


class ModelError(Exception):
    """No model can be made of this. The message says what is wrong, where, and what to do next."""
