"""Which of minigrad's own kernels a process uses: compiled ones, or NumPy's."""


def compiled():
    """Whether this installation of minigrad has compiled kernels that are switched on."""
    import minigrad.cpu

    return minigrad.cpu.native


def sentence():
    """What there is to compare, in one line."""
    kernels = "compiled kernels" if compiled() else "no compiled kernels"
    return f"This minigrad has {kernels} on the CPU; its steps are captured."


def use(native):
    """Switch minigrad's compiled kernels off in this process, unless `native` is true."""
    import minigrad.cpu

    if not native:
        minigrad.cpu.native = False


def captured(step):
    """The `step` noted once and replayed."""
    import minigrad.cpu

    return minigrad.cpu.Captured(step)
