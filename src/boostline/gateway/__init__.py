"""The gateway: from a raw record in a REST request to an endpoint's decision, inside Lambda."""
