"""The role `test`: a test that holds the code to a formula, as FILE::NAME under tests/; it must exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxRole

TESTS = Path(__file__).parents[2] / "tests"


class TestRole(SphinxRole):
    """Writes the test's place as code."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """See SphinxRole."""
        file, _, name = self.text.partition("::")
        path = TESTS / file
        if not path.is_file() or not re.search(rf"^\s*def {re.escape(name)}\(", path.read_text(), re.MULTILINE):
            message = self.inliner.reporter.error(f"there is no test {self.text}", line=self.lineno)
            return [], [message]
        return [nodes.literal(self.rawtext, f"tests/{file}::{name}")], []


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the role."""
    app.add_role("test", TestRole())
    return {"parallel_read_safe": True, "parallel_write_safe": True}
