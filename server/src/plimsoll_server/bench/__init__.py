"""`plimsoll-server bench`: suites of measurements, a package each. No server imports any of it."""
