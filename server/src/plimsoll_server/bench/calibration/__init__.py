"""How far a model's probabilities can be believed, and whether its uncertainty tells texts of another kind apart."""
