"""Publishes the project template to an AWS account, and takes it down: ``python -m service_catalog publish|teardown``.

The verbs are in ``publish`` and ``teardown``; ``target`` says where to, ``seed_bucket`` keeps what was packed,
``stacks`` deploys by change set, ``catalog`` is the CDK app of portfolio, product and launch constraint, and
``holdings`` lists what is there.
"""
