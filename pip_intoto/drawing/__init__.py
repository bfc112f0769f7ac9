"""What drawings have in common, whatever they show: places, lines, and text that fits."""
