#!/usr/bin/env python3
"""Opens the microscope's page in headless Chromium, uses it as a reader would, and checks what is shown.

Speaks the DevTools protocol over a pipe (--remote-debugging-pipe), with the standard library alone.
microscope_browser.py CHROMIUM PAGE FOLDER: screenshots go into FOLDER.
"""
import base64
import json
import os
import pathlib
import subprocess
import sys
import tempfile


class Browser:
    """Chromium with one page. Messages are JSON with a zero byte after each: it reads from 3, and writes to 4."""

    def __init__(self, program, profile):
        to_browser, self.out = os.pipe()
        self.incoming, from_browser = os.pipe()

        def place():  # in the child, from above 4, so that neither overwrites the other
            a, b = os.dup(to_browser), os.dup(from_browser)
            high_a, high_b = os.dup2(a, 100), os.dup2(b, 101)
            os.dup2(high_a, 3)
            os.dup2(high_b, 4)

        self.process = subprocess.Popen(
            [program, "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", "--no-first-run",
             f"--user-data-dir={profile}", "about:blank"],
            preexec_fn=place, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_browser)
        os.close(from_browser)
        self.number, self.buffer, self.events = 0, b"", []
        target = self.call("Target.createTarget", {"url": "about:blank"}, session=None)["targetId"]
        self.session = None
        self.session = self.call("Target.attachToTarget", {"targetId": target, "flatten": True}, session=None)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def read(self):
        while b"\0" not in self.buffer:
            piece = os.read(self.incoming, 1 << 16)
            if not piece:
                raise SystemExit("the browser ended")
            self.buffer += piece
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, parameters=None, session="own"):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters or {}}
        if session == "own":
            message["sessionId"] = self.session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.read()
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise SystemExit(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def wait(self, event):
        while not any(e.get("method") == event for e in self.events):
            self.events.append(self.read())
        self.events = [e for e in self.events if e.get("method") != event]

    def value(self, expression):
        result = self.call("Runtime.evaluate", {"expression": expression, "returnByValue": True, "awaitPromise": True})
        if "exceptionDetails" in result:
            raise SystemExit(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def show(self, url, width, height, dark):
        self.call("Emulation.setDeviceMetricsOverride",
                  {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500})
        self.call("Emulation.setTouchEmulationEnabled", {"enabled": width < 500})
        self.call("Emulation.setEmulatedMedia",
                  {"features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]})
        self.call("Page.navigate", {"url": url})
        self.wait("Page.loadEventFired")

    def key(self, key):
        for kind in ("keyDown", "keyUp"):
            event = {"type": kind, "key": key}
            if kind == "keyDown" and len(key) == 1:
                event["text"] = key
            self.call("Input.dispatchKeyEvent", event)

    def click(self, selector, touch):
        x, y = self.value(f"""(() => {{ const e = {selector}; e.scrollIntoView({{block: 'nearest'}});
            const b = e.getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]; }})()""")
        if touch:
            self.call("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
            self.call("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        else:
            for kind in ("mousePressed", "mouseReleased"):
                self.call("Input.dispatchMouseEvent", {"type": kind, "x": x, "y": y, "button": "left", "clickCount": 1})
        self.value("new Promise((done) => setTimeout(done, 50))")

    def picture(self, file):
        data = self.call("Page.captureScreenshot", {"format": "png"})["data"]
        pathlib.Path(file).write_bytes(base64.b64decode(data))

    def close(self):
        try:
            self.call("Browser.close", session=None)
            self.process.wait(10)
        except (SystemExit, OSError, subprocess.TimeoutExpired):
            self.process.kill()


failures = 0


def check(holds, what):
    global failures
    if not holds:
        failures += 1
        print(f"FAILED: {what}")


SELECTED = "document.querySelector('.s.sel').dataset.at"
INSPECTOR = "document.getElementById('inspector').textContent"
COLOURS = "Array.from(document.querySelectorAll('.s')).slice(0, 400).map((e) => e.style.background).join()"
CHART = "document.getElementById('chart').toDataURL()"


def use(browser, page, folder, width, height, dark):
    name = f"{width}-{'dark' if dark else 'light'}"
    browser.events.clear()
    browser.show(page, width, height, dark)
    milliseconds = browser.value("(() => { const n = performance.getEntriesByType('navigation')[0]; return n.loadEventEnd; })()")
    print(f"{name}: loaded in {milliseconds:.0f} ms")
    check(milliseconds < 5000, f"{name}: loaded in {milliseconds:.0f} ms")
    check(browser.value("window.hostile === undefined"), f"{name}: the text ran a script")
    check(browser.value("document.querySelectorAll('img').length") == 0, f"{name}: the text made an element")
    check(browser.value("document.documentElement.scrollWidth <= innerWidth"), f"{name}: wider than the window")
    check(browser.value("document.querySelectorAll('.s').length") > 200, f"{name}: no text")
    check(browser.value("document.querySelectorAll('.s').length") < 20000, f"{name}: the whole text is elements")
    dump = browser.value("document.getElementById('lines').textContent")
    check("<script>window.hostile" in dump.replace("\u00a0", " "), f"{name}: the text is not shown as it is")
    check("\u202e" not in dump and "\u2028" not in dump and "\x01" not in dump, f"{name}: invisible characters")
    check("U+202E" in dump and "U+0001" in dump, f"{name}: invisible characters have no sign")

    # A symbol is clicked, or tapped.
    before = browser.value(INSPECTOR)
    browser.click("document.querySelector('.s[data-at=\"70\"]')", width < 500)
    check(browser.value(SELECTED) == "70", f"{name}: a click selects")
    check(browser.value(INSPECTOR) != before, f"{name}: a click changes the inspector")
    check("nats" in browser.value(INSPECTOR), f"{name}: no surprise is shown")
    check(browser.value("document.querySelectorAll('#inspector .rows .name').length") >= 5, f"{name}: no five outputs")

    if width >= 500:  # a mouse has a tip
        x, y = browser.value("(() => { const b = document.querySelector('.s[data-at=\"90\"]').getBoundingClientRect(); "
                             "return [b.x + 3, b.y + 5]; })()")
        browser.call("Input.dispatchMouseEvent", {"type": "mouseMoved", "x": x, "y": y})
        check("character 90" in browser.value("document.getElementById('tip').textContent"), f"{name}: no tip")

    # Keys move, and change the unit and the colouring.
    chart = browser.value(CHART)
    browser.key("ArrowRight")
    check(browser.value(SELECTED) == "71", f"{name}: the right arrow moves")
    check(browser.value(CHART) != chart, f"{name}: the chart follows")
    browser.key("ArrowDown")
    check(int(browser.value(SELECTED)) > 71, f"{name}: the down arrow moves")
    for key in ("]", "f", "s", "m", "u", "c"):
        colours = browser.value(COLOURS)
        browser.key(key)
        check(browser.value(COLOURS) != colours, f"{name}: the key {key} changes no colour")
    unit = browser.value("document.getElementById('unit').value")
    browser.key("]")
    check(browser.value("document.getElementById('unit').value") != unit, f"{name}: ] changes no unit")
    browser.key("[")
    check(browser.value("document.getElementById('unit').value") == unit, f"{name}: [ does not go back")
    browser.picture(f"{folder}/{name}.png")

    # A unit of the table, and a decision.
    browser.click("document.querySelector('#properties button:not(:disabled)')", width < 500)
    check("unit" in browser.value("document.getElementById('chart-title').textContent"), f"{name}: the table's unit")
    browser.click("document.querySelector('#decisions button')", width < 500)
    check("What mattered" in browser.value(INSPECTOR), f"{name}: a decision shows nothing")
    browser.picture(f"{folder}/{name}-mattered.png")
    browser.key("End")
    check(int(browser.value(SELECTED)) > 90000, f"{name}: End goes to the end")

    bad = [e for e in browser.events if e.get("method") == "Runtime.exceptionThrown"
           or (e.get("method") == "Log.entryAdded" and e["params"]["entry"]["level"] == "error")]
    check(not bad, f"{name}: {bad[:2]}")
    fetched = [e["params"]["request"]["url"][:80] for e in browser.events if e.get("method") == "Network.requestWillBeSent"]
    check(all(url == page for url in fetched), f"{name}: fetched {fetched}")


def main(program, page, folder):
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Browser(program, profile)
        for width, height in ((1280, 900), (360, 740)):
            for dark in (False, True):
                use(browser, pathlib.Path(page).resolve().as_uri(), folder, width, height, dark)
        browser.close()
    print("all is well" if failures == 0 else f"{failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
