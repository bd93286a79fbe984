"""One port, the AWS protocols: signatures, dispatch, validation, errors."""
