"""Black-box checks of SageMaker's container contract, for an image or a command."""
