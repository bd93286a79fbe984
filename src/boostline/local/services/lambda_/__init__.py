"""Lambda: functions from zip files, run by AWS's own Python runtime client."""
