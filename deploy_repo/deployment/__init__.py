"""How this repository finds the model package to deploy, writes the configuration and talks to the endpoint."""
