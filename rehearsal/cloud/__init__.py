"""A stand-in for the AWS services a SageMaker project template is made of.

Nothing in here knows our template: it plays any project template made of the same services. One module (or folder)
per AWS service, named like the service; `front_door.py` is where every request arrives.
"""
