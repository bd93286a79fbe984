"""One package a service, named as AWS names it."""
