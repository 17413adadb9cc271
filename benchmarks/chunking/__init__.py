"""Long texts in one pass and in chunks, by the server's rules: what either costs, and how often it is right."""
