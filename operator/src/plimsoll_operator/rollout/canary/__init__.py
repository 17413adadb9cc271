"""The canary: a few pods on trial, one file for each phase, and what its moves depend on."""
