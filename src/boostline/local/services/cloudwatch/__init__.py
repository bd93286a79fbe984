"""Amazon CloudWatch: metrics of the data planes, and alarms."""
