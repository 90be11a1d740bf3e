"""Videos that tests make: of each frame one can tell its number."""

import struct
from fractions import Fraction

import av
import cv2
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


def write_frames(path, frames, codec="libx264", rate=10, options=None, stamps=None, sound=False, ratio=None, hdr=None):
    """Encode RGB frames as a phone might: `stamps` in milliseconds, sound first, pixels that are not square, HDR."""
    with av.open(str(path), "w") as container:
        if sound:
            audio = container.add_stream("aac", 48000)
        stream = container.add_stream(codec, rate, options=options or {"g": "12"})
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p10le" if hdr else "yuv420p"
        context = stream.codec_context
        if ratio:
            context.sample_aspect_ratio = ratio
        if hdr:
            context.color_trc, context.color_primaries = {"hlg": 18, "pq": 16}[hdr], 9
            context.colorspace, context.color_range = 9, 1
        if stamps is not None:
            stream.time_base = context.time_base = Fraction(1, 1000)
        for number, frame in enumerate(frames):
            picture = of_hdr(frame, hdr) if hdr else av.VideoFrame.from_ndarray(frame, format="rgb24")
            if stamps is not None:
                picture.pts, picture.time_base = stamps[number], Fraction(1, 1000)
            container.mux(stream.encode(picture))
            if sound:
                tone = np.sin(np.arange(4800) / 20).astype(np.float32)[None]
                heard = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
                heard.sample_rate, heard.pts, heard.time_base = 48000, 4800 * number, Fraction(1, 48000)
                container.mux(audio.encode(heard))
        container.mux(stream.encode())
        if sound:
            container.mux(audio.encode())
    return path


def turn(path, matrix):
    """Write into an MP4 how its pictures are turned: x' = a x + c y, y' = b x + d y."""
    data = bytearray(path.read_bytes())
    start = data.index(b"tkhd") + 44  # the nine numbers by which the track is turned, fixed-point
    a, b, c, d = (value * 65536 for value in matrix)
    data[start : start + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path


def of_hdr(light, kind):
    """Encode a frame as HDR: uint8 sRGB, whose white becomes 203 cd/m², or float cd/m² in sRGB's primaries.

    Forward, by the formulas of ITU-R BT.2100 and BT.2087; the package has those that go backward.
    """
    if light.dtype == np.uint8:
        value = light / 255
        light = 203 * np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    light = light @ np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]]).T
    share = np.array([0.2627, 0.6780, 0.0593])
    if kind == "pq":
        power = (light / 10000) ** 0.1593017578125
        signal = ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375
    else:
        scene = light / 1000 * np.maximum(light / 1000 @ share, 1e-9)[..., None] ** (1 / 1.2 - 1)
        log = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
        signal = np.where(scene <= 1 / 12, np.sqrt(3 * scene), log)
    luma = signal @ share
    blue, red = (signal[..., 2] - luma) / (2 * (1 - share[2])), (signal[..., 0] - luma) / (2 * (1 - share[0]))
    half = (light.shape[1] // 2, light.shape[0] // 2)
    planes = [64 + 876 * luma, *(512 + 896 * cv2.resize(c, half, interpolation=cv2.INTER_AREA) for c in (blue, red))]
    frame = av.VideoFrame(light.shape[1], light.shape[0], "yuv420p10le")
    for plane, values in zip(frame.planes, planes):
        rows = np.zeros((plane.height, plane.line_size // 2), "<u2")
        rows[:, : values.shape[1]] = np.rint(values)
        plane.update(rows.tobytes())
    frame.colorspace, frame.color_range = 9, 1
    return frame
