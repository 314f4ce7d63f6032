"""Figures of lesson 01."""


def the_v(figure, curves, typical, steps):
    """The error of every measured slope against its step, lowest points marked."""
    axes = figure.subplots()
    colours = ("#E69F00", "#D55E00", "#56B4E9", "#0072B2")
    for colour, (name, error) in zip(colours, curves.items(), strict=True):
        smooth = typical(error)  # (300,)
        axes.loglog(steps, smooth, color=colour, label=name)
        axes.plot(steps[smooth.argmin()], smooth.min(), "o", color=colour, ms=6)
    axes.set(xlabel="step h", ylabel="relative error of the slope of exp at 1", ylim=(1e-13, 3))
    axes.legend(loc="lower left", fontsize=8)
    axes.grid(alpha=0.3)
