"""Amazon SageMaker AI: one API (`api.py`), several rooms."""
