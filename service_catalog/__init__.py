"""Publishes the project template to an AWS account: ``python -m service_catalog publish``.

The verbs are in ``publish``; ``target`` says where to, ``seed_bucket`` keeps what was packed, ``stacks`` deploys by
change set, and ``catalog`` is the CDK app of portfolio, product and launch constraint.
"""
