"""What a model takes by itself, without a server around it: time, rate and memory."""
