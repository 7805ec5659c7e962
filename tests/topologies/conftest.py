"""What is kept of slow computations goes to a folder of the session's, and nothing comes from the user's."""

import pytest


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DFEDSAM_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield
