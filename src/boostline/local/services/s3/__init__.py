"""S3: buckets and objects over the platform's store."""
