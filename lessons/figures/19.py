"""Figures of lesson 19."""

from autoencoder.evaluation import half_squares


def strangers(figure, rows, size, new):
    """Strangers' faces, noisy and cleaned in two ways."""
    grid = figure.subplots(4, 6)
    for line, (name, images) in zip(grid, rows.items(), strict=True):
        for k, axes in enumerate(line):
            axes.imshow(images[11 * k].reshape(size, size), cmap="gray", vmin=0, vmax=1)
            axes.set(xticks=[], yticks=[])
        loss = f"\n{half_squares(images - new):.2f}" if name != "face" else ""
        line[0].set_ylabel(name + loss, fontsize=9)


def residuals(figure, new, strange, network, p_values, errors, held, size):
    """Faces and strange images, rebuilt, and what is left."""
    grid = figure.subplots(3, 4)
    for column, (name, images) in zip(grid.T, ({"face": new} | strange).items(), strict=True):
        one, again = images[:1], network(images[:1])  # (1, D)
        p = p_values(errors(network, one), errors(network, held))[0]
        column[0].set_title(f"{name}\nerror {errors(network, one)[0]:.1f}, p = {p:.2f}", fontsize=9)
        for axes, image in zip(column, (one, again, one - again), strict=True):
            signed = axes is column[2]
            limits = dict(cmap="RdBu", vmin=-0.5, vmax=0.5) if signed else dict(cmap="gray", vmax=1)
            axes.imshow(image.reshape(size, size), **({"vmin": 0} | limits))
            axes.set(xticks=[], yticks=[])
    for axes, word in zip(
        grid[:, 0], ("read", "rebuilt", "difference\n(-0.5 to 0.5)"), strict=True
    ):
        axes.set_ylabel(word, fontsize=9)
