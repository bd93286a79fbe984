"""What runs inside the SageMaker container: process, train, evaluate, serve."""
