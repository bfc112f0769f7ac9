"""The parts of the HTML report: text, palette, document, and one module a section."""
