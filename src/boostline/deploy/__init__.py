"""From an approved model package to a REST API that answers."""
