"""What a model artifact holds, sealed by digests."""
