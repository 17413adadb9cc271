"""From a model's folder to a repository on the hub that `hf://` serves. No server imports any of it."""
