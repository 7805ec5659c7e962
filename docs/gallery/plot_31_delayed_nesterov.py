"""
Momentum without waiting
========================

Liu et al. (2024), "Asynchronous local-SGD training for language modeling", the toy problem of its authors' notebook:
four workers, which take 0.58 to 3.33 seconds a step, train a network on a mixture of mixtures of Gaussians, 20 steps of
Adam at a time; a server takes their updates by Nesterov's method. Published: without waiting this ends much worse; if
only every fourth update changes the momentum ("delayed Nesterov") and slow workers make fewer steps, the loss is that
of the synchronous server, in a fraction of the time. Theirs has 512 features and 65,000 hidden units, ours 64 of each.
dfedsam has no such server: this is numpy alone.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.special import softmax
from sklearn.preprocessing import normalize

DIM, CLASSES, HIDDEN, ETA, BETA, SECONDS = 64, 4, 64, 0.7, 0.9, np.array([0.58, 0.75, 1.51, 3.33])
rng = np.random.default_rng(0)
centres = normalize(rng.standard_normal((8 * CLASSES, DIM)))
start = rng.standard_normal(DIM * HIDDEN + HIDDEN * CLASSES) / DIM**0.5


def examples(count, rng):
    cluster = rng.integers(8 * CLASSES, size=count)
    return centres[cluster] + 0.3 * rng.standard_normal((count, DIM)), cluster // 8


def loss(x, z, y):
    """The cross-entropy of a network with one hidden layer, and its gradient."""
    first, second = x[: DIM * HIDDEN].reshape(DIM, HIDDEN), x[DIM * HIDDEN :].reshape(HIDDEN, CLASSES)
    hidden = np.maximum(z @ first, 0)
    p = softmax(hidden @ second, axis=1)
    error = (p - np.eye(CLASSES)[y]) / len(y)
    slopes = z.T @ ((error @ second.T) * (hidden > 0)), hidden.T @ error
    return -np.log(p[np.arange(len(y)), y]).mean(), np.concatenate(slopes, axis=None)


def update(x, steps, rng):
    """What a worker sends: x minus where some steps of Adam on minibatches of 32 lead."""
    y, m, v = x.copy(), 0, 0
    for t in range(1, steps + 1):
        g = loss(y, *examples(32, rng))[1]
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        y -= 1e-3 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    return x - y


# %%
# The synchronous server is the delayed one whose workers go on together, at the pace of the slowest. The notebook
# weights an update by 1/2 if nobody waits; with the 1/4 of the others most of the harm is gone.
test, last = examples(2000, np.random.default_rng(9)), {}
figure, axes = plt.subplots(1, 2, figsize=(8, 3), sharey=True, layout="constrained")
for method in ("synchronous", "naive, weight 1/2", "naive, weight 1/4", "delayed", "delayed, fewer steps"):
    together, weight = method == "synchronous", 1 / 2 if "1/2" in method else 1 / 4
    pace = np.full(4, SECONDS.max()) if together else SECONDS
    steps = [max(5, int(20 * SECONDS[0] / s)) if "fewer" in method else 20 for s in SECONDS]
    rngs, ready = [np.random.default_rng((1, i)) for i in range(4)], steps * pace
    x, m, total, done, course, sent = start, 0, 0, 0, [], [update(start, steps[i], rngs[i]) for i in range(4)]
    while done < 4800:
        i, fourth = int(ready.argmin()), len(course) % 4 == 3
        x, total, done = x - ETA * weight * sent[i], total + weight * sent[i], done + steps[i]
        if fourth or "naive" in method:
            m, total = BETA * m + total, 0
            x = x - ETA * BETA * m
        course.append((done, ready[i], loss(x, *test)[0] if fourth else np.nan))
        ready[i] += steps[i] * pace[i]
        for j in (range(4) if fourth else []) if together else [i]:
            sent[j] = update(x, steps[j], rngs[j])
    taken, seconds, losses = np.array(course[3::4]).T
    last[method] = losses[-1]
    print(f"{method:20} loss {last[method]:.3f} after {done} steps and {seconds[-1]:5.0f} seconds")
    axes[0].plot(taken, losses, label=method)
    axes[1].plot(seconds, losses)
axes[0].set(xlabel="steps of all workers", ylabel="held-out loss")
axes[0].legend()
axes[1].set(xlabel="seconds")
plt.show()

assert max(last["delayed"], last["delayed, fewer steps"]) < 1.06 * last["synchronous"] < 0.8 * last["naive, weight 1/2"]
