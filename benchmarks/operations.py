"""How many operations the network needs: products and sums of convolutions.

What a direct convolution needs, counted from the shapes; a multiplication and
an addition are two. "Least" leaves out what never reaches the prediction: the
convolutions of states that are zero, and the gates that would multiply a zero
cell. Over a whole video the part that depends on one frame alone is needed
once a frame instead of once a window.
"""

from lgn_tf.model.blocks import scaled

LAYERS = 4
GATES_OF_X, GATES_OF_H, GATES_OF_M = 7, 4, 3


def convolution(height, width, inputs, outputs, kernel=3):
    """Returns the operations of one convolution, by the size of its output."""
    return 2 * kernel**2 * height * width * inputs * outputs


def window(size=(256, 256), channels=3, frames=4, width=1.0, least=True):
    """Returns the operations to predict one frame by itself.

    Args:
        size: (height, width) in pixels.
        channels: of a frame.
        frames: in a window.
        width: multiplier of every channel count.
        least: whether what multiplies zeros is left out.
    """
    cells = sum(
        _cells(size, width, zero_state=least and step == 0)
        for step in range(frames)
    )
    return (
        frames * _frame_encoder(size, channels, width)
        + cells
        + _rest(size, channels, frames, width)
    )


def video(size=(256, 256), channels=3, frames=4, width=1.0):
    """Returns the least operations a frame of a long video.

    Each frame passes the frame encoder and the first cell's convolutions of x
    once, in all of its gates.
    """
    units = scaled(128, width)
    x = convolution(size[0] // 4, size[1] // 4, units, units)
    saved = frames * GATES_OF_X - 2  # the first step needs two gates less
    return (
        window(size, channels, frames, width)
        - (frames - 1) * _frame_encoder(size, channels, width)
        - (saved - GATES_OF_X) * x
    )


def _frame_encoder(size, channels, width):
    first, second = scaled(64, width), scaled(128, width)
    half = [side // 2 for side in size]
    quarter = [side // 4 for side in size]
    return (
        convolution(*half, channels, first)
        + convolution(*half, first, first)
        + convolution(*quarter, first, second)
        + convolution(*quarter, second, second)
    )


def _cells(size, width, zero_state):
    """All layers at one step; hidden state and cells may be zero."""
    units = scaled(128, width)
    quarter = [side // 4 for side in size]
    gate = convolution(*quarter, units, units)
    gates = LAYERS * (GATES_OF_X + GATES_OF_H + GATES_OF_M)
    if zero_state:
        # No convolution of h; no forget gate of c. In the first layer the
        # memory is zero, too: no convolution of m and no forget gate of it.
        gates -= LAYERS * (GATES_OF_H + 1) + GATES_OF_M + 1
    joined = 2 * gate + convolution(*quarter, 2 * units, units, kernel=1)
    return gates * gate + LAYERS * joined


def _rest(size, channels, frames, width):
    """Upsampler, global encoder and decoder."""
    widths = [scaled(one, width) for one in (64, 128, 256, 512)]
    sizes = [[side // 2**level for side in size] for level in range(4)]
    # A transposed convolution of stride 2: by the size of its input.
    total = convolution(*sizes[2], 2 * scaled(128, width), widths[1])
    total += convolution(*sizes[1], widths[1], widths[0])
    inputs = frames * channels
    for level, filters in enumerate(widths):
        total += convolution(*sizes[level], inputs, filters)
        total += convolution(*sizes[level], filters, filters)
        inputs = filters
    for level in (3, 2, 1):
        filters = widths[level]
        total += 2 * convolution(*sizes[level], filters, filters)
        total += convolution(*sizes[level], filters, widths[level - 1])
    total += convolution(*sizes[0], 2 * widths[0], widths[0])
    total += convolution(*sizes[0], widths[0], widths[0])
    return total + convolution(*sizes[0], widths[0], channels)
