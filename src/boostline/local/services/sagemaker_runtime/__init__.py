"""Amazon SageMaker Runtime: requests to endpoints."""
