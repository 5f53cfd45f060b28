"""Drives Chromium through its debugging pipe, so that no package is needed for it."""

import base64
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..patience import PATIENCE

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

CONTRASTS = """(() => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const rgb = (colour) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = (colour) => {
    const linear = (x) => x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4;
    const [r, g, b] = colour.slice(0, 3).map(x => linear(x / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (x) => {
    const colour = rgb(getComputedStyle(x).backgroundColor);
    return colour[3] === 255 ? colour : behind(x.parentElement);
  };
  const own = (x) => [...x.childNodes].some(y => y.nodeType === 3 && y.textContent.trim());
  const bad = {};
  for (const x of document.querySelectorAll("body *:not(script)")) {
    if (!own(x) || !x.checkVisibility()) continue;
    const style = getComputedStyle(x), isDrawn = x.namespaceURI.endsWith("svg") && x.classList.contains("axis");
    if (x.namespaceURI.endsWith("svg") && !isDrawn) continue;
    const [a, b] = [light(rgb(isDrawn ? style.fill : style.color)), light(behind(x))].sort((a, b) => b - a);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) bad[x.tagName + "." + x.getAttribute("class")] = ratio;
  }
  return bad;
})()"""
"""Each text that is seen and has less contrast than WCAG AA asks, with its ratio."""


def find_chromium() -> str | None:
    """Return the path of a Chromium; `HOMOGAUDIT_CHROMIUM` names one elsewhere."""
    return os.environ.get("HOMOGAUDIT_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


class Page:
    """One page of a browser, and what went wrong on it.

    Attributes:
        errors: Errors and warnings of the console, exceptions, and refusals by the page's security policy.
        requests: Addresses that were asked for, embedded data left out.
    """

    def __init__(self, to_browser: int, from_browser: int) -> None:
        self._to, self._from = to_browser, from_browser
        self._pending, self._number, self._session = b"", 0, None
        self._loaded = False
        self.errors: list[str] = []
        self.requests: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command and return its result."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while (reply := self._receive()).get("id") != message["id"]:
            pass
        if "error" in reply:
            raise RuntimeError(f"{method}: {reply['error']}")
        return reply["result"]

    def open(self, path: Path) -> None:
        """Open a file and wait until it is loaded."""
        self._loaded = False
        self.call("Page.navigate", url=path.as_uri())
        while not self._loaded:
            self._receive()

    def run(self, script: str) -> Any:
        """Return the value of an expression; a promise is waited for."""
        found = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True, userGesture=True
        )
        if "exceptionDetails" in found:
            raise RuntimeError(str(found["exceptionDetails"].get("exception", found["exceptionDetails"])))
        return found["result"].get("value")

    def wait_for(self, script: str) -> None:
        """Wait until an expression is true."""
        failed = json.dumps(f"never: {script}")
        self.run(
            "new Promise((done, fail) => { let left = 600; const look = () => { "
            f"if ({script}) done(); else if (--left) requestAnimationFrame(look); else fail(Error({failed})); "
            "}; look(); })"
        )

    def wait_for_file(self, path: Path) -> None:
        """Wait until a file is downloaded."""
        end = time.monotonic() + PATIENCE
        while not path.exists() or not path.stat().st_size:
            self.run("new Promise(requestAnimationFrame)")
            if time.monotonic() > end:
                raise TimeoutError(f"{path.name} was not downloaded")

    def press(self, key: str, code: int = 0, modifiers: int = 0) -> None:
        """Press and release a key."""
        named = {"key": key, "code": key, "windowsVirtualKeyCode": code, "modifiers": modifiers}
        text = {"text": "\r"} if key == "Enter" else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", **named, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", **named)

    def size(self, width: int, height: int, *, phone: bool = False) -> None:
        """Set the size of the window in CSS pixels."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)

    def media(self, **features: str) -> None:
        """Set media features such as `prefers_color_scheme`."""
        named = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        self.call("Emulation.setEmulatedMedia", features=named)

    def screenshot(self, path: Path, *, whole: bool = False) -> None:
        """Save what is seen, or the whole page, as PNG."""
        found = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(found["data"]))

    def pdf(self) -> bytes:
        """Return the page as it prints."""
        return base64.b64decode(self.call("Page.printToPDF", printBackground=False)["data"])

    def _receive(self) -> dict[str, Any]:
        """Return the next message, having noted what it tells."""
        end = time.monotonic() + PATIENCE
        while b"\0" not in self._pending:
            if not select.select([self._from], [], [], max(end - time.monotonic(), 0))[0]:
                raise TimeoutError("Chromium does not reply")
            more = os.read(self._from, 1 << 20)
            if not more:
                raise RuntimeError("Chromium ended")
            self._pending += more
        text, _, self._pending = self._pending.partition(b"\0")
        message = json.loads(text)
        self._note(message.get("method", ""), message.get("params", {}))
        return message

    def _note(self, method: str, told: dict[str, Any]) -> None:
        if method == "Page.loadEventFired":
            self._loaded = True
        elif method == "Runtime.exceptionThrown":
            self.errors.append(str(told["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled" and told["type"] in ("error", "warning", "assert"):
            self.errors.append(str(told["args"]))
        elif method == "Log.entryAdded" and told["entry"]["level"] in ("error", "warning"):
            self.errors.append(told["entry"]["text"])
        elif method == "Network.requestWillBeSent" and not told["request"]["url"].startswith("data:"):
            self.requests.append(told["request"]["url"])


@contextmanager
def browser(folder: Path) -> Iterator[Page]:
    """Start a headless Chromium with a profile of its own in `folder`, and end it."""
    chromium = find_chromium()
    assert chromium is not None
    browser_in, to_browser = os.pipe()
    from_browser, browser_out = os.pipe()

    def place() -> None:
        # The browser reads commands on 3 and writes replies on 4. Both are moved out of the way first.
        first, second = os.dup(browser_in), os.dup(browser_out)
        os.dup2(first, 3)
        os.dup2(second, 4)

    command = [
        chromium,
        "--headless=new",
        "--remote-debugging-pipe",
        # Neither works in a container or as root; the page is ours, and the network is not needed.
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--disable-background-networking",
        "--no-first-run",
        f"--user-data-dir={folder / 'profile'}",
        "about:blank",
    ]
    with open(folder / "chromium.log", "wb") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, close_fds=False, preexec_fn=place
        )
    os.close(browser_in)
    os.close(browser_out)
    try:
        page = Page(to_browser, from_browser)
        yield page
    finally:
        os.close(to_browser)
        os.close(from_browser)
        process.terminate()
        process.wait(PATIENCE)
