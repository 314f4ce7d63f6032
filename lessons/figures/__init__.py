"""How the figures of lesson NN are drawn, in NN.py: a function of the figure's name for each."""
