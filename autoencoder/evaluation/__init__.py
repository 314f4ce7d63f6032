"""How good a model is: metrics, what its codes know, and the baselines that it has to beat."""
