"""Builders of the children, one module per concern. Each returns only the fields that Plimsoll owns. No I/O here."""
