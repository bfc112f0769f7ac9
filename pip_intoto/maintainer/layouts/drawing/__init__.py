"""Layouts as drawings: a model that knows no format, and one module a format."""
