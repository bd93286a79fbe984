"""What evaluation shows to people: plots as SVG, and one page."""
