"""A page in headless Chromium: what it says of itself after a script has driven it."""

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
WATCH = """<script>
window.wrong = [];
addEventListener("error", (event) => wrong.push(String(event.message || event.target.outerHTML.slice(0, 80))), true);
const told = console.error;
console.error = (...words) => { wrong.push(words.join(" ")); told(...words); };
</script>"""
DRIVE = """<script>
addEventListener("load", () => {
  let found;
  try { found = (() => { %s })(); } catch (error) { wrong.push(String(error)); }
  parent.postMessage(JSON.stringify({ found, wrong }), "*");
});
</script></body>"""
FRAME = """<!DOCTYPE html><body><pre id="said"></pre><script>
addEventListener("message", (event) => { document.getElementById("said").textContent = event.data; });
</script><iframe src="%s" style="width:%dpx;height:900px;border:0"></iframe></body>"""


def drive(page: Path, script: str, folder: Path, width: int = 1200) -> dict[str, Any]:
    """Open a copy of the page, run the body of a function in it once all has loaded, and return what it returns.

    The page is in a frame of `width` pixels, since a window of Chromium has at least 500.

    Returns:
        {"found": what the script returns, "wrong": errors and what the console was told of them}.
    """
    assert CHROMIUM is not None
    text = page.read_text(encoding="utf-8")
    text = re.sub(r"<meta http-equiv=[^>]*>", "", text)  # which allows no script but the page's own
    text = text.replace("<head>", "<head>" + WATCH, 1).replace("</body>", DRIVE % script)
    copy = folder / f"driven-{width}.html"
    copy.write_text(text, encoding="utf-8")
    frame = folder / f"frame-{width}.html"
    frame.write_text(FRAME % (copy.as_uri(), width), encoding="utf-8")
    options = "--headless --no-sandbox --disable-gpu --disable-dev-shm-usage --virtual-time-budget=4000 --dump-dom"
    command = [CHROMIUM, *options.split(), "--window-size=1300,950", f"--user-data-dir={folder / 'profile'}"]
    command.append(frame.as_uri())
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    said = re.search(r'<pre id="said">(.*?)</pre>', done.stdout, re.DOTALL)
    assert said is not None, done.stderr[-500:]
    assert said[1], done.stderr[-500:]
    return json.loads(unescape(said[1]))
