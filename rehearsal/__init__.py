"""AWS on this machine, and the story of one project played on it."""
