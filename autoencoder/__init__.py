"""autoencoder: autoencoders built on minigrad, and the data, baselines and pictures they need.

``python -m autoencoder train`` trains the deep convolutional autoencoder on the Olivetti faces.
"""
