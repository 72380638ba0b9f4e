"""The acts of the story, one module each, in the order of `rehearsal/story.py`.

An act is a function of the scene and of its own record: it does what people do, and raises StoryError with a sentence
for the reader when something is not as it must be. The record's facts are what a person would note down.
"""
