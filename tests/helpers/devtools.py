"""A browser that can be driven: keys, the mouse, dark mode, a phone's screen, pictures of the page.

It speaks the Chrome DevTools Protocol over a pair of pipes (``--remote-debugging-pipe``): JSON
messages that end in a zero byte. So nothing has to be installed but Chromium itself.
"""

import base64
import json
import os
import select
import shutil
import subprocess
import time

import pytest
from browser import NAMES

SECONDS = 60  # for one answer


class Browser:
    """A headless Chromium with one page; use it in ``with``."""

    def __init__(self, folder):
        program = next(filter(None, map(shutil.which, NAMES)), None)
        if program is None:
            pytest.skip("there is no Chromium: apt-get install chromium")
        theirs_in, self._to = os.pipe()
        self._from, theirs_out = os.pipe()
        flags = "--headless --no-sandbox --disable-gpu --hide-scrollbars --remote-debugging-pipe"
        flags += f" --user-data-dir={folder / 'devtools'} --no-first-run about:blank"
        line = f"exec 3<&{theirs_in} 4>&{theirs_out}; exec {program} {flags}"
        self._process = subprocess.Popen(
            ["bash", "-c", line], pass_fds=(theirs_in, theirs_out), stderr=subprocess.DEVNULL
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self._buffer, self._count, self._session, self._loaded = b"", 0, None, False
        self.said = []  # what the page wrote to the console, and what it was forbidden
        self.requests = []  # addresses that the page asked for
        targets = self.call("Target.getTargets")["targetInfos"]
        page = next(t["targetId"] for t in targets if t["type"] == "page")
        attached = self.call("Target.attachToTarget", targetId=page, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._session = None
        self.call("Browser.close")
        self._process.wait(SECONDS)
        os.close(self._to)
        os.close(self._from)

    def call(self, method, **params):
        """The result of a command of the protocol."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._message()
            if answer.get("id") == self._count:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]

    def _message(self):
        """The next message; what it says of the page is noted."""
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._from], [], [], SECONDS)
            read = os.read(self._from, 1 << 20) if ready else b""
            if not read:
                raise RuntimeError("the browser does not answer")
            self._buffer += read
        text, _, self._buffer = self._buffer.partition(b"\0")
        message = json.loads(text)
        params = message.get("params", {})
        if message.get("method") == "Runtime.consoleAPICalled":
            self.said.append(str([a.get("value") for a in params["args"]]))
        elif message.get("method") == "Runtime.exceptionThrown":
            self.said.append(json.dumps(params["exceptionDetails"])[:500])
        elif message.get("method") == "Log.entryAdded":
            self.said.append(params["entry"]["text"])
        elif message.get("method") == "Page.loadEventFired":
            self._loaded = True
        elif message.get("method") == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        return message

    # ------------------------------------------------------------------ the page
    def open(self, path):
        """Show the file at `path`."""
        self.said.clear()
        self.requests.clear()
        self._loaded = False
        self.call("Page.navigate", url=f"file://{path}")
        while not self._loaded:
            self._message()

    def ask(self, expression):
        """The value of an expression of JavaScript in the page."""
        answer = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def until(self, expression):
        """Wait until an expression is true."""
        end = time.monotonic() + SECONDS
        while not self.ask(expression):
            if time.monotonic() > end:
                raise RuntimeError(f"never true: {expression}")
            time.sleep(0.02)

    def settle(self):
        """Wait until the page has painted what it was told."""
        self.ask("new Promise((f) => requestAnimationFrame(() => requestAnimationFrame(f)))")

    def key(self, name, text=""):
        """Press and release a key, such as "ArrowLeft", "Tab" or "Enter"."""
        codes = {"Tab": 9, "Enter": 13, "Escape": 27, " ": 32, "End": 35, "Home": 36}
        codes |= {"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}
        more = {"text": text} if text else {}
        about = dict(key=name, windowsVirtualKeyCode=codes.get(name, 0))
        self.call("Input.dispatchKeyEvent", type="keyDown", **about, **more)
        self.call("Input.dispatchKeyEvent", type="keyUp", **about)
        self.settle()

    def click(self, x, y):
        """Move the mouse to a place of the window and click there."""
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
        self.settle()

    def hover(self, x, y):
        """Move the mouse to a place of the window."""
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        self.settle()

    def media(self, **features):
        """Set media features: ``prefers_color_scheme="dark"``."""
        named = [{"name": k.replace("_", "-"), "value": v} for k, v in features.items()]
        self.call("Emulation.setEmulatedMedia", features=named)
        self.settle()

    def screen(self, width, height, phone=False):
        """Set the size of the window in pixels of CSS."""
        scale = 2 if phone else 1
        about = dict(width=width, height=height, deviceScaleFactor=scale, mobile=phone)
        self.call("Emulation.setDeviceMetricsOverride", **about)
        self.settle()

    def picture(self, path):
        """Write what is seen, the whole page, to a PNG file."""
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    def tree(self):
        """What a screen reader is told: (role, name, value) of each thing that it meets."""
        nodes = self.call("Accessibility.getFullAXTree")["nodes"]
        found = []
        for node in nodes:
            if not node.get("ignored"):
                role, name, value = (
                    node.get(k, {}).get("value") for k in ("role", "name", "value")
                )
                found.append((role, name, value))
        return found
