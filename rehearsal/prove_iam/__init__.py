"""`make prove-iam`: every grant of the template is needed by a call of the story, or it is said why it is there."""
