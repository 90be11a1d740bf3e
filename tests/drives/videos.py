"""Videos that tests make: of each frame one can tell its number."""

from fractions import Fraction

import av
import numpy as np


def picture(number, size=(48, 72)):
    """Paint a number from 0 to 4095 as twelve black or white columns, which no encoder spoils."""
    bits = [(number >> bit) & 1 for bit in range(12)]
    row = np.repeat(np.array(bits, np.uint8) * 200 + 25, size[1] // 12)
    return np.broadcast_to(row[None, :, None], (*size, 3)).copy()


def number_of(frame):
    """Read the number of a picture."""
    columns = frame[frame.shape[0] // 2, frame.shape[1] // 24 :: frame.shape[1] // 12, 1]
    return sum(int(column > 125) << bit for bit, column in enumerate(columns))


def write_video(path, count, codec="libx264", rate=30, options=None, stamps=None, size=(48, 72)):
    """Encode frames; `stamps` are their times in milliseconds."""
    forms = {".hevc": "hevc", ".mkv": "matroska"}
    with av.open(str(path), "w", format=forms.get(path.suffix)) as container:
        stream = container.add_stream(codec, rate, options=options or {"g": "12", "bf": "2"})
        stream.height, stream.width, stream.pix_fmt = *size, "yuv420p"
        if stamps is not None:
            stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        for number in range(count):
            frame = av.VideoFrame.from_ndarray(picture(number, size)).reformat(format="yuv420p")
            if stamps is not None:
                frame.pts, frame.time_base = stamps[number], stream.codec_context.time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path
