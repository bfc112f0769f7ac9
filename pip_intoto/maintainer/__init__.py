"""The maintainer's side: keys, layouts, links, and the evidence that ships beside a release."""
