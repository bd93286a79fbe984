"""Amazon SageMaker: pipelines, jobs, registry, hosting."""
