"""How time and memory of the family `spectral` grow with the length of a text, and those of Llama 2's architecture."""
