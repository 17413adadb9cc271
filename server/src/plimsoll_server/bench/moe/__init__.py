"""What a layer of experts takes beside other ways to compute the same."""
