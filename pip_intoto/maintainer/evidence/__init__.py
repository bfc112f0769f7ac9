"""What ships beside a release: gathered, laid out on disk, and told to those who install it."""
