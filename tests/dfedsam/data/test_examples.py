"""Texts with words drawn at random."""

import numpy as np
import pytest

from dfedsam.data.split import Examples, perturbed
from dfedsam.random import generator

TEXTS = ("one two three four five six seven eight nine ten", "a", "b c")
EXAMPLES = Examples(texts=TEXTS, labels=np.zeros(3, np.int64), classes=(0, 1))


@pytest.mark.parametrize(("share", "changed"), [(0.0, (0, 0, 0)), (0.6, (6, 1, 1)), (1.0, (10, 1, 2))])
def test_the_share_of_words_is_drawn_from_all_texts(share, changed):
    words = {word for text in TEXTS for word in text.split()}
    other = np.zeros((200, 3))
    for seed in range(200):
        found = perturbed(EXAMPLES, share, generator(seed, "perturbed texts")).texts
        for i, (text, again) in enumerate(zip(TEXTS, found, strict=True)):
            assert len(again.split()) == len(text.split())
            assert set(again.split()) <= words
            other[seed, i] = sum(a != b for a, b in zip(text.split(), again.split(), strict=True))
    assert (other <= changed).all()
    kept = 1 / len(words)  # a word may be drawn for itself
    np.testing.assert_allclose(other.mean(axis=0), np.array(changed) * (1 - kept), atol=0.15)
