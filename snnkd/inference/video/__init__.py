"""Videos: events in colour over the frames, what the network says, and the timeline, as MP4."""

from snnkd.inference.video.writer import write_video

__all__ = ["write_video"]
