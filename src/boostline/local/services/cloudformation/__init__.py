"""CloudFormation: stacks of the types that the project's templates have."""
