"""A page on which to explore a latent space."""
