"""The demo: from nothing to a classified long text, told step by step. It uses only what any user can type."""
