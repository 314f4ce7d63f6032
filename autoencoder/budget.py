"""How long to train where nobody says so: "auto" for `batch_size` and `max_epochs`.

What a network needs is a number of steps, not of epochs: 50 epochs are 350 steps for 200 rows in
batches of 32, and 94,000 for 60,000 rows. So small data get many epochs, and large data larger
batches as well, because a step of 256 rows costs less than two of 128. A fit ends earlier once the
loss has levelled off; either way the learning rate falls to 0 over its last quarter, see `Plan`.
"""

import math

import numpy as np

STEPS = 4000  # of a whole fit
FEWEST_EPOCHS = 10
SMALLEST_BATCH, LARGEST_BATCH = 32, 256
BATCHES = 60  # in an epoch, until the largest batch is reached
_WINDOW = 400  # steps over which the loss must fall
_GAIN = 0.002  # by this part of all that it has fallen


def batch_size(n_samples):
    """Rows in a step: a power of 2 that makes about 60 steps an epoch, from 32 to 256.

    >>> batch_size(400), batch_size(1797), batch_size(10_000), batch_size(60_000)
    (32, 32, 128, 256)
    """
    power = 2 ** math.floor(math.log2(max(n_samples / BATCHES, 1)))
    return int(np.clip(power, SMALLEST_BATCH, LARGEST_BATCH))


def max_epochs(steps_of_an_epoch):
    """Epochs that make 4,000 steps, and at least 10.

    >>> max_epochs(13), max_epochs(57), max_epochs(79), max_epochs(235), max_epochs(5000)
    (308, 71, 51, 18, 10)
    """
    return max(FEWEST_EPOCHS, math.ceil(STEPS / steps_of_an_epoch))


def levelled_off(losses, steps_of_an_epoch):
    """Whether the loss of each epoch, `losses`, has stopped falling.

    The mean over the epochs of the last 400 steps is compared with that over the 400 before. The
    measure is the whole fall since the first epoch, because a loss in nats has no zero of its own.

    >>> levelled_off([9.0, 5.0, 3.0, 2.0, 1.0, 0.5], 200), levelled_off([9.0] + [1.0] * 5, 200)
    (False, True)
    """
    window = max(2, math.ceil(_WINDOW / steps_of_an_epoch))
    if len(losses) < 2 * window + 1:
        return False
    before, now = np.mean(losses[-2 * window : -window]), np.mean(losses[-window:])
    return bool(before - now <= _GAIN * max(losses[0] - now, 0.0))
