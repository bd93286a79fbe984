"""The project: `boostline.toml`, typed and checked, and the target that commands act on."""
