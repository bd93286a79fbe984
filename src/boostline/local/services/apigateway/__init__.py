"""API Gateway: REST APIs from OpenAPI documents, their stages, keys and usage plans."""
