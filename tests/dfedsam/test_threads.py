"""Threads of torch do not spin for long where they wait for one another."""

import os
import subprocess
import sys

import pytest

pytest.importorskip("torch")


@pytest.mark.skipif(sys.platform != "linux", reason="torch has another OpenMP there")
@pytest.mark.parametrize(("chosen", "expected"), [(None, "10000"), ("77", "77")])
def test_torch_waits_as_long_as_we_or_the_user_say(chosen, expected):
    environment = {key: value for key, value in os.environ.items() if key != "GOMP_SPINCOUNT"}
    environment |= {"OMP_DISPLAY_ENV": "verbose"} | ({} if chosen is None else {"GOMP_SPINCOUNT": chosen})
    done = subprocess.run([sys.executable, "-c", "import dfedsam, torch"], env=environment, stderr=subprocess.PIPE,
                          text=True, timeout=120, check=True)  # fmt: skip
    assert f"GOMP_SPINCOUNT = '{expected}'" in done.stderr
