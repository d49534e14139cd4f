"""A headless Chromium that shows a page as a reader would see it, and tells what it did meanwhile.

It is spoken to by the DevTools protocol through a pair of pipes, so that no port is open and no client needed.
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import pytest

PROGRAM = shutil.which("chromium")
needs_browser = pytest.mark.skipif(PROGRAM is None, reason="no chromium here")

WIDTHS = (390, 820, 1440)
"""Of a phone, a tablet and a desk, in CSS pixels."""

SCHEMES = ("light", "dark")

PAPER = 673
"""CSS pixels between the margins of A4."""

# Lines of text of the page itself, each word by itself, and of each figure; rectangles that meet by more than a
# hair's breadth are told, but for those within one another's element (a note below a number).
OVERLAPS = """
(() => {
  const found = [];
  const compare = (boxes, slack) => {
    boxes.sort((a, b) => a.box.top - b.box.top);
    for (let i = 0; i < boxes.length; i++) for (let j = i + 1; j < boxes.length; j++) {
      if (boxes[j].box.top > boxes[i].box.bottom) break;
      const a = boxes[i].box, b = boxes[j].box;
      if (Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1.5
          && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > slack * Math.min(a.height, b.height))
        found.push(`${boxes[i].text} | ${boxes[j].text}`);
    }
  };
  const texts = root => {
    const boxes = [], walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT), range = document.createRange();
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      if (!node.data.trim() || node.parentElement.closest('svg, style, title, details:not([open]) > :not(summary)'))
        continue;
      range.selectNodeContents(node);
      for (const box of range.getClientRects())
        if (box.width > 1) boxes.push({box, text: node.data.trim().slice(0, 40)});
    }
    return boxes;
  };
  compare(texts(document.body), 0.3);
  for (const svg of document.querySelectorAll('svg'))
    compare([...svg.querySelectorAll('text')].filter(text => text.textContent.trim())
      .map(text => ({box: text.getBoundingClientRect(), text: `${svg.id}: ${text.textContent.trim()}`})), 0.3);
  const blocks = [...document.body.querySelectorAll(':scope > *, section > *, figure > *')];
  for (const block of blocks)
    for (let next = block.nextElementSibling; next; next = null) {
      const a = block.getBoundingClientRect(), b = next.getBoundingClientRect();
      if (a.height && b.height && a.bottom > b.top + 1) found.push(`${block.tagName} over ${next.tagName}`);
    }
  return found;
})()
"""

OVERFLOWS = """
[...document.body.querySelectorAll('*')].filter(element => !element.closest('.scroll, pre, svg')
  || element.matches('.scroll, pre')).filter(element => {
    const box = element.getBoundingClientRect();
    return box.width && (box.right > document.documentElement.clientWidth + 0.5 || box.left < -0.5);
  }).map(element => `${element.tagName} ${element.className} ${element.textContent.trim().slice(0, 40)}`)
"""


MOST = 5_000_000
"""Bytes of a page."""


def faults(tab: Browser, page: Path) -> list[str]:
    """Show a page at every width, in light and dark, and print it; say whatever a reader would stumble over."""
    found = [f"{page.stat().st_size} bytes"] if page.stat().st_size > MOST else []
    for width in WIDTHS:
        for scheme in SCHEMES:
            tab.show(page, width=width, scheme=scheme)
            seen = [*tab.complaints(), *(f"asks for {url}" for url in tab.requests())]
            seen += [f"overlap: {pair}" for pair in tab.evaluate(OVERLAPS)]
            seen += [f"beyond the edge: {element}" for element in tab.evaluate(OVERFLOWS)]
            seen += ["the page can be scrolled sideways"] if tab.evaluate(SIDEWAYS) else []
            found += [f"{width} px, {scheme}: {fault}" for fault in seen]
    return found + tab.printed_faults(page)


SIDEWAYS = "document.documentElement.scrollWidth > document.documentElement.clientWidth"

# What leaves the column is cut off on paper.
CLIPPED = """
[...document.querySelectorAll('table, svg, pre')].filter(element => element.getBoundingClientRect().right
  > document.body.getBoundingClientRect().right + 1).map(element => `${element.tagName} ${element.id
  || element.closest('section')?.id} ${Math.round(element.getBoundingClientRect().right)}`)
"""


class Browser:
    """One tab; see :func:`browser`."""

    def __init__(self, process: subprocess.Popen, to: int, back: int) -> None:
        self._process, self._to, self._back = process, to, back
        self._numbers, self._rest = itertools.count(1), b""
        self.events: list[dict[str, Any]] = []
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._call(f"{domain}.enable")

    _session: str | None = None

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            piece = os.read(self._back, 1 << 20)
            if not piece:
                raise RuntimeError("the browser has ended")
            self._rest += piece
        message, self._rest = self._rest.split(b"\0", 1)
        return json.loads(message)

    def _call(self, method: str, *, whole: bool = False, **parameters: Any) -> dict[str, Any]:
        """Ask the tab, or the ``whole`` browser."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        if self._session and not whole:
            message["sessionId"] = self._session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._to, data) :]
        while (answer := self._receive()).get("id") != number:
            self.events.append(answer)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def show(self, page: Path, *, width: int = 1440, scheme: str = "light") -> Self:
        """Load a file at a width (CSS pixels), in light or dark, and forget what was before."""
        self._call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1,
                   mobile=width < 500)  # fmt: skip
        self._call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.events.clear()
        self._call("Page.navigate", url=page.resolve().as_uri())
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self._receive())
        self.evaluate("document.fonts.ready.then(() => 1)")
        return self

    def evaluate(self, script: str) -> Any:
        """Return the value of a script in the page, where everything is within the page's rights."""
        answer = self._call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(json.dumps(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def complaints(self) -> list[str]:
        """Console messages, log entries and exceptions since the page was asked for."""
        told = ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")
        return [json.dumps(event["params"]) for event in self.events if event.get("method") in told]

    def requests(self) -> list[str]:
        """Addresses that were asked for since, but for the page itself and what it carries in itself."""
        asked = [e["params"]["request"]["url"] for e in self.events if e.get("method") == "Network.requestWillBeSent"]
        return [url for url in asked[1:] if not url.startswith("data:")]

    def printed_faults(self, page: Path) -> list[str]:
        """List what is cut off on A4."""
        self.show(page, width=PAPER)
        self._call("Emulation.setEmulatedMedia", media="print")
        clipped = self.evaluate(CLIPPED)
        self._call("Emulation.setEmulatedMedia", media="")
        return [f"printed: {element} is cut off" for element in clipped]

    def height(self, selector: str, media: str = "") -> float:
        """Height of an element on screen, or by another ``media``, in CSS pixels; 0 if it is folded away."""
        self._call("Emulation.setEmulatedMedia", media=media)
        shown = "(e => e.checkVisibility({contentVisibilityAuto: true}) ? e.getBoundingClientRect().height : 0)"
        found = f"{shown}(document.querySelector({json.dumps(selector)}))"
        # What is folded away is told apart once a frame has been drawn.
        frames = f"requestAnimationFrame(() => requestAnimationFrame(() => drawn({found})))"
        height = self.evaluate(f"new Promise(drawn => {frames})")
        self._call("Emulation.setEmulatedMedia", media="")
        return height

    def click(self, x: float, y: float) -> None:
        """Click at a place of the window, in CSS pixels, as a reader would: the mouse moves there first."""
        for kind, held in (("mouseMoved", 0), ("mousePressed", 1), ("mouseReleased", 0)):
            self._call(
                "Input.dispatchMouseEvent", type=kind, x=x, y=y, buttons=held, clickCount=int(kind != "mouseMoved"),
                button="none" if kind == "mouseMoved" else "left",
            )  # fmt: skip
            # What is under the mouse is found a while after it moved.
            self.evaluate("new Promise(done => setTimeout(done, 100))")

    def save(self, selector: str, folder: Path) -> Path:
        """Click on a link and give the file that it saves into an empty folder."""
        self._call(
            "Browser.setDownloadBehavior", whole=True, behavior="allow", downloadPath=str(folder), eventsEnabled=True
        )
        self.evaluate(f"document.querySelector({json.dumps(selector)}).click()")
        while not any(e.get("params", {}).get("state") == "completed" for e in self.events):
            self.events.append(self._receive())
        (file,) = folder.iterdir()
        return file

    def pdf(self) -> bytes:
        """The page as printed on A4."""
        printed = self._call("Page.printToPDF", paperWidth=8.27, paperHeight=11.69, preferCSSPageSize=True)
        return base64.b64decode(printed["data"])

    def screenshot(self, path: Path) -> None:
        """Write a picture of the whole page (.png)."""
        size = self._call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        shown = self._call("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        path.write_bytes(base64.b64decode(shown["data"]))


@contextmanager
def browser() -> Iterator[Browser]:
    """Start Chromium with a profile of its own and no net, and end it."""
    command = [
        str(PROGRAM), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage",
        "--enable-unsafe-swiftshader", "--host-resolver-rules=MAP * ~NOTFOUND", "--remote-debugging-pipe",
    ]  # fmt: skip
    read, to = os.pipe()
    back, write = os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        # It reads from descriptor 3 and writes to 4.
        shell = ["/bin/bash", "-c", f'exec "$@" 3<&{read} 4>&{write}', "bash", *command, f"--user-data-dir={profile}"]
        process = subprocess.Popen(shell, pass_fds=(read, write), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(read)
        os.close(write)
        try:
            yield Browser(process, to, back)
        finally:
            os.close(to)
            os.close(back)
            process.terminate()
            process.wait(timeout=30)
