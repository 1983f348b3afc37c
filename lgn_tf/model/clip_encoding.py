"""Encoding clips: all of LGN-Net that comes before the memory.

Letters: B batch, T input frames, N frames, V windows of a video, C channels,
h = H / 4, w = W / 4.
"""

from typing import Any

from keras import ops

from lgn_tf.model import prototypes
from lgn_tf.model.global_encoder import sliding_windows
from lgn_tf.model.outputs import Encoding


class ClipEncoding:
    """The methods of `LGNNet` that encode clips, windows and whole videos.

    Attributes:
        frames: number of input frames.
        has_local: whether the model has the three layers of a local branch.
        has_memory: whether it has a global encoder, and a memory.
        residual: whether it predicts the change to the last input frame.
    """

    frames: int
    has_local: bool
    has_memory: bool
    residual: bool
    frame_encoder: Any
    stp_net: Any
    upsampler: Any
    global_encoder: Any

    def encode(self, clips, training=False):
        """Encodes clips, without the memory.

        Args:
            clips: tensor (batch, frames, height, width, channels).
            training: whether to normalise by the statistics of the batch.

        Returns:
            An `Encoding` of the batch.
        """
        features = None
        if self.has_local and training:
            # The statistics of the batch are those of each time step alone:
            # the authors' code encodes frame by frame.
            features = ops.stack(
                [
                    self.frame_encoder(clips[:, time], training=True)
                    for time in range(self.frames)
                ],
                axis=1,
            )
        elif self.has_local:
            frames = ops.reshape(clips, (-1, *clips.shape[2:]))
            features = self.frame_encoder(frames)
            features = ops.reshape(
                features, (-1, self.frames, *features.shape[1:])
            )  # (BT, h, w, C) -> (B, T, h, w, C)
        return self._encode(clips, features, training=training)

    def encode_frames(self, frames):
        """Computes the part of the local branch that needs one frame alone.

        Args:
            frames: tensor (N, height, width, channels).

        Returns:
            A tensor (N, height / 4, width / 4, gates * units).
        """
        return self.stp_net.project(self.frame_encoder(frames))

    def encode_windows(self, clips, projections):
        """Encodes clips whose frames went through `encode_frames`.

        Args:
            clips: tensor (batch, frames, height, width, channels).
            projections: tensor (batch, frames, height / 4, width / 4,
                gates * units); None for `glo_net`.

        Returns:
            An `Encoding` of the batch.
        """
        return self._encode(clips, projections, projected=True)

    def encode_video(self, frames):
        """Encodes every window of a video; each frame is encoded once.

        Args:
            frames: tensor (N, height, width, channels), N at least `frames`.

        Returns:
            An `Encoding` of the V = N - frames + 1 windows, in order.
        """
        windows = sliding_windows(frames, self.frames)
        projections = None
        if self.has_local:
            projections = sliding_windows(
                self.encode_frames(frames), self.frames
            )
        return self.encode_windows(windows, projections)

    def _encode(self, clips, features, projected=False, training=False):
        local_features = queries = last_frame = ()
        if self.has_local:
            states = self.stp_net(
                features, projected=projected, training=training
            )
            local_features = self.upsampler(states, training=training)
        if self.has_memory:
            latent = self.global_encoder(clips, training=training)
            queries = prototypes.normalize(latent)
        if self.residual:
            last_frame = ops.cast(clips[:, -1], "float32")
        return Encoding(local_features, queries, last_frame)
