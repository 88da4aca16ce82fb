"""Renders clip.mp4: a red car drives past hills while a ball bounces. Needs NumPy, Pillow and the ffmpeg program."""
import subprocess
import sys

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

HEIGHT, WIDTH, FRAMES, FPS = 192, 320, 60, 20
rng = np.random.default_rng(4)


def ridge(base, amplitude, seed):
    """The height of a skyline at each column of a strip twice as wide as the frame."""
    x = np.arange(2 * WIDTH)
    waves = np.random.default_rng(seed)
    line = sum(np.sin(x * 2 * np.pi * k / (2 * WIDTH) + waves.uniform(0, 6.28)) / k for k in range(2, 12))
    return base + amplitude * line


def texture(strength):
    noise = Image.fromarray((rng.random((HEIGHT, 2 * WIDTH)) * 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(1))
    return (np.asarray(noise, np.float64) - 127) * strength


LAYERS = [  # skyline, colour, texture, share of the car's speed
    (ridge(95, 14, 1), (120, 140, 165), texture(0.3), 0.15),
    (ridge(120, 10, 2), (90, 130, 80), texture(0.8), 0.4),
    (ridge(150, 3, 3), (70, 100, 50), texture(1.5), 1.0),
]
SKY = np.stack([np.linspace(a, b, HEIGHT) for a, b in ((110, 225), (160, 230), (220, 240))], -1)[:, None]


def frame(t):
    rows = np.arange(HEIGHT)[:, None]
    picture = np.broadcast_to(SKY, (HEIGHT, WIDTH, 3)).copy()
    for skyline, colour, grain, share in LAYERS:
        columns = (np.arange(WIDTH) + int(4 * share * t)) % (2 * WIDTH)
        ground = rows >= skyline[columns][None]
        picture = np.where(ground[..., None], np.array(colour) + grain[:, columns][..., None], picture)
    image = Image.fromarray(picture.clip(0, 255).astype(np.uint8)).resize((4 * WIDTH, 4 * HEIGHT))
    draw = ImageDraw.Draw(image)

    def box(kind, x, y, w, h, colour):
        getattr(draw, kind)([4 * x, 4 * y, 4 * (x + w), 4 * (y + h)], fill=colour)

    road = 166
    box("rectangle", 0, road, WIDTH, HEIGHT - road, (75, 75, 80))
    for x in range(-64, WIDTH + 64, 64):
        box("rectangle", x - 4 * t % 64, road + 12, 30, 3, (220, 220, 200))
    ball = 40 + 3.6 * t
    box("ellipse", ball, road - 14 - 70 * abs(np.sin(t / 7)), 22, 22, (245, 200, 40))
    car = 220 - 2.6 * t
    box("rectangle", car, road - 24, 72, 20, (200, 40, 35))
    box("rectangle", car + 16, road - 40, 38, 18, (200, 40, 35))
    box("rectangle", car + 20, road - 37, 13, 12, (190, 220, 235))
    box("rectangle", car + 37, road - 37, 13, 12, (190, 220, 235))
    for wheel in (car + 9, car + 47):
        box("ellipse", wheel, road - 12, 17, 17, (25, 25, 25))
        box("ellipse", wheel + 5, road - 7, 7, 7, (170, 170, 170))
    return np.asarray(image.resize((WIDTH, HEIGHT), Image.LANCZOS))


command = ["ffmpeg", "-y", "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{WIDTH}x{HEIGHT}",
           "-r", str(FPS), "-i", "-", "-c:v", "libx264", "-preset", "veryslow", "-crf", "27", "-pix_fmt", "yuv420p",
           sys.argv[1] if len(sys.argv) > 1 else "clip.mp4"]
with subprocess.Popen(command, stdin=subprocess.PIPE) as encoder:
    for t in range(FRAMES):
        encoder.stdin.write(frame(t).tobytes())
