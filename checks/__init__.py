"""The checks of `make lint`: cfn-lint with our own rules, checkov, cdk-nag, and how fresh what we name still is."""
