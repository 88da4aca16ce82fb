#!/usr/bin/env python3
"""The live page in a headless Chromium: what a user sees and does.

Waits are for conditions, so a slow machine makes this slow and not wrong.
"""

import argparse
import contextlib
import pathlib
import signal
import subprocess
import tempfile
import time

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

PATIENCE = 40  # seconds until a condition that does not come true is a failure
HEIGHT, WIDTH, PATCH = 192, 320, 16  # of the video


@contextlib.contextmanager
def started(*command):
    """Runs the program; gives it and its page's address."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@contextlib.contextmanager
def browser(chromium, chromedriver, downloads):
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                     "--disable-background-networking", "--disable-component-update", "--disable-sync",
                     "--no-proxy-server", "--window-size=1280,900", f"--user-data-dir={downloads}/profile"):
        options.add_argument(argument)
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(service=Service(chromedriver), options=options)
    try:
        yield driver
    finally:
        driver.quit()


class Page:
    """What can be seen on the page, and done."""

    def __init__(self, driver, url, output):
        self.driver, self.url, self.output = driver, url, output
        driver.get(url)

    def find(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def text(self, name):
        return self.find(f"#{name}").text

    def script(self, code, *arguments):
        return self.driver.execute_script(code, *arguments)

    def until(self, condition, what):
        WebDriverWait(self.driver, PATIENCE, poll_frequency=0.05).until(lambda _: condition(), f"never: {what}")

    def press(self, name):
        self.until(lambda: self.find(f"#{name}").is_enabled(), f"{name} can be pressed")
        self.find(f"#{name}").click()

    def pixels(self, canvas):
        """Width, height and RGBA bytes."""
        return self.script("""
            const canvas = document.getElementById(arguments[0]);
            const {width, height} = canvas;
            const copy = new OffscreenCanvas(width, height).getContext("2d", {willReadFrequently: true});
            copy.drawImage(canvas, 0, 0);
            return [width, height, Array.from(copy.getImageData(0, 0, width, height).data)];""", canvas)

    def points(self):
        """The marks on the frame: [x, y, places in the trail, where the trail began]."""
        return self.script("""
            return Array.from(document.querySelectorAll("#tracks [data-point]"), mark => {
              const trail = mark.querySelector(".trail").getAttribute("d").slice(1).split("L");
              return [Number(mark.dataset.x), Number(mark.dataset.y), trail.length, trail[0].split(" ").map(Number)];
            });""")

    def frames(self):
        text = self.text("frames")
        return int(text) if text.isdigit() else 0

    def plays_past(self, count):
        self.until(lambda: self.frames() > count, f"frame {count}")

    def pauses(self):
        self.press("play")
        self.until(lambda: self.text("status") == "paused", "paused")

    def click_at(self, x, y):
        """Clicks the frame where its pixel (x, y) is."""
        frame = self.find("#frame-picture")
        box = frame.rect
        ActionChains(self.driver).move_to_element_with_offset(
            frame, round((x / WIDTH - 0.5) * box["width"]), round((y / HEIGHT - 0.5) * box["height"])).click().perform()

    def screenshot(self, name):
        self.driver.save_screenshot(str(self.output / f"live_{name}.png"))

    @contextlib.contextmanager
    def seen_if_it_fails(self):
        try:
            yield
        except Exception:
            self.screenshot("failure")
            raise

    def console_is_quiet(self):
        """Whether the browser had no complaint of this page since it was asked last."""
        complaints = [entry["message"] for entry in self.driver.get_log("browser")
                      if entry["level"] in ("SEVERE", "WARNING") and self.url in entry["message"]]
        check(complaints == [], complaints)


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def pictures_are_painted(page):
    page.until(lambda: page.frames() > 0, "a frame")
    for canvas, width, height in (("frame", WIDTH, HEIGHT), ("colours", WIDTH // PATCH, HEIGHT // PATCH)):
        w, h, data = page.pixels(canvas)
        check((w, h) == (width, height), f"{canvas} is {w}x{h}")
        colours = {tuple(data[i:i + 3]) for i in range(0, len(data), 4)}
        check(len(colours) > 50, f"{canvas} has {len(colours)} colours")
        check(all(alpha == 255 for alpha in data[3::4]), f"{canvas} is transparent")
        page.until(lambda: page.pixels(canvas)[2] != data, f"{canvas} changes")
    check(page.find("#frame").size["width"] > 300, "the frame is small")
    check(page.text("status") == "playing", "it plays")
    check(page.text("source") == "clip.mp4", "it names its source")
    for number in ("milliseconds", "rate", "norm"):
        page.until(lambda: page.text(number) not in ("", "–") and float(page.text(number)) > 0, number)


def a_click_tracks_a_point(page):
    page.click_at(200, 100)
    page.until(lambda: len(page.points()) == 1, "a point")
    page.until(lambda: page.points()[0][2] > 12, "a trail")
    x, y, _, start = page.points()[0]
    check(abs(start[0] - 200) < 2 and abs(start[1] - 100) < 2, f"it begins at {start}, where the click was not")
    check(0 <= x <= WIDTH and 0 <= y <= HEIGHT, f"it is at {x}, {y}")
    trails = set()
    page.until(lambda: trails.add(tuple(page.points()[0][:2])) or len(trails) > 1, "the point moves")
    page.click_at(60, 150)
    page.until(lambda: len(page.points()) == 2, "a second point")
    check("point 2" in page.text("points"), "the points are listed")
    page.screenshot("light")
    page.press("forget")
    page.until(lambda: page.points() == [], "no points")
    # Without a mouse: the cross begins in the middle.
    page.find("#frame-picture").send_keys(Keys.ARROW_LEFT, Keys.ARROW_UP, Keys.ENTER)
    page.until(lambda: len(page.points()) == 1, "a point by keyboard")
    check(page.points()[0][3] == [WIDTH / 2 - 8, HEIGHT / 2 - 8], f"it begins at {page.points()[0][3]}")


def pausing_holds_the_picture(page):
    page.pauses()
    answer = page.driver.execute_async_script(
        "const done = arguments[0]; fetch(`moment?after=${shown.serial}`).then(answer => done(answer.status))")
    check(answer == 204, f"something new came while it was paused: {answer}")


def the_state_is_saved_restored_and_reset(page, state_file):
    saved = page.text("frames"), page.text("norm")
    page.press("save")
    page.until(lambda: str(state_file) in page.text("notice"), "what was saved is said")
    check(state_file.stat().st_size > 1000, "the state is in its file")
    page.press("play")
    page.plays_past(int(saved[0]) + 3)
    page.pauses()
    check(page.text("frames") != saved[0], "the state goes on")
    page.press("restore")
    page.until(lambda: (page.text("frames"), page.text("norm")) == saved, "the state as it was saved")
    check(page.points() == [], "points of another time are gone")
    page.press("reset")
    page.until(lambda: (page.text("frames"), page.text("norm")) == ("0", "0.00"), "the zero state")
    page.press("play")
    page.plays_past(2)


def it_fits_a_phone_and_the_dark(page):
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia",
                                {"features": [{"name": "prefers-color-scheme", "value": "dark"}]})
    background = "return getComputedStyle(document.body).backgroundColor"
    check(page.script(background) == "rgb(15, 18, 23)", f"the dark is {page.script(background)}")
    page.click_at(100, 60)
    page.click_at(220, 120)
    page.until(lambda: len(page.points()) == 2 and page.points()[1][2] > 5, "points")
    page.screenshot("dark")
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                                {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True})
    check(page.script("return document.documentElement.scrollWidth") <= 390, "it is wider than a phone")
    boxes = [page.find(f"#{name}").rect for name in ("frame", "colours")]
    check(boxes[1]["y"] > boxes[0]["y"] + boxes[0]["height"], "on a phone one picture is below the other")
    page.screenshot("phone")
    page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def the_browser_keeps_states(page, downloads):
    """With a program that was started without a state file, of a video that ends."""
    page.until(lambda: page.text("status") == "ended", "the end of the video")
    check("ended" in page.text("notice") and page.text("play") == "Play again", "it says so")
    saved = page.text("frames"), page.text("norm")
    check(saved[0] == "60", f"{saved[0]} frames")
    page.press("save")
    files = lambda: list(downloads.glob("frame-*.rvmstate"))
    page.until(files, "a download")
    page.press("play")
    page.until(lambda: page.frames() > 62, "it plays again")
    page.pauses()
    page.console_is_quiet()
    bad = downloads / "bad.rvmstate"
    bad.write_bytes(files()[0].read_bytes()[:-1])
    page.find("#file").send_keys(str(bad))
    page.until(lambda: "the saved state's length" in page.text("notice"), "the error of a bad file")
    page.find("#file").send_keys(str(files()[0]))
    page.until(lambda: (page.text("frames"), page.text("norm")) == saved, "the state as it was saved")


def ends_at_once(page, process):
    start = time.monotonic()
    process.send_signal(signal.SIGINT)
    check(process.wait(PATIENCE) == 0, f"exit code {process.returncode}")
    print(f"ended {time.monotonic() - start:.2f} s after Ctrl-C")
    page.until(lambda: "disconnected" in page.text("status"), "the page notices")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, help_text in (("chromium", "the browser"), ("chromedriver", "what steers it"), ("program", "live"),
                            ("weights", "for the program"), ("video", "for the program: clip.mp4"),
                            ("screenshots", "directory for what the page looked like")):
        parser.add_argument(f"--{name}", required=True, help=help_text)
    options = parser.parse_args()
    output = pathlib.Path(options.screenshots)
    output.mkdir(parents=True, exist_ok=True)
    program = [options.program, "--weights", options.weights, "--input", options.video, "--threads", "1"]
    with tempfile.TemporaryDirectory() as directory:
        directory = pathlib.Path(directory)
        with browser(options.chromium, options.chromedriver, directory) as driver:
            state_file = directory / "kept.rvmstate"
            with started(*program, "--loop", "--state", str(state_file)) as (process, url):
                page = Page(driver, url, output)
                with page.seen_if_it_fails():
                    pictures_are_painted(page)
                    a_click_tracks_a_point(page)
                    pausing_holds_the_picture(page)
                    the_state_is_saved_restored_and_reset(page, state_file)
                    it_fits_a_phone_and_the_dark(page)
                    page.console_is_quiet()
                    ends_at_once(page, process)
            with started(*program) as (process, url):
                page = Page(driver, url, output)
                with page.seen_if_it_fails():
                    the_browser_keeps_states(page, directory)
    print("passed")


if __name__ == "__main__":
    main()
