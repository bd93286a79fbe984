"""IAM: the answers that clients want before they start."""
