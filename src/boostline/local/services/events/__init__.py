"""Amazon EventBridge: rules, and the commands that stand for their targets."""
