"""
Zeroth-order steps find flatter minima
======================================

"Zeroth-order optimization finds flat minima" (2025, arXiv 2506.05454), figure 1: f(y, z) = ½(yᵀz − 1)², y and z of 100
numbers. Its minima form a surface; the flattest has the trace of the Hessian ‖y‖² + ‖z‖² = 2.

Gradient descent stops at the first minimum that it meets. A two-point estimate minimises the smoothed function f +
½λ²(‖y‖² + ‖z‖²) + ½λ⁴d instead, so that the trace goes on falling, by about 2ηλ² − 2d²λ⁴η² of itself a step. This is
why queries alone already do some of the work of SAM.
"""

import matplotlib.pyplot as plt
import numpy as np

D, ETA, LAMBDA, STEPS, EVERY = 100, 1e-3, 0.1, 100_000, 1000
REFERENCE = 38.0  # the trace after 100,000 steps of an earlier implementation, from this start


def loss(y, z):
    return 0.5 * (y @ z - 1) ** 2


start = np.random.RandomState(17).standard_normal((2, D))
x = start.copy()
rng = np.random.default_rng(17)
traces = [np.sum(x**2)]
for step in range(STEPS):
    if step % EVERY == 0:
        directions = rng.standard_normal((EVERY, 2, D))
    u = directions[step % EVERY]
    up, down = x + LAMBDA * u, x - LAMBDA * u
    x -= ETA * (loss(*up) - loss(*down)) / (2 * LAMBDA) * u
    if (step + 1) % EVERY == 0:
        traces.append(np.sum(x**2))

# %%
# The same start under gradient descent:
g = start.copy()
for _ in range(5000):
    slope = g[0] @ g[1] - 1
    g -= 0.01 * slope * g[::-1]
descent = np.sum(g**2)

# %%
# The prediction starts where the loss has settled, after 1,000 steps.
steps = np.arange(0, STEPS + 1, EVERY)
fall = 2 * ETA * LAMBDA**2 - 2 * D**2 * LAMBDA**4 * ETA**2
predicted = traces[1] * (1 - fall) ** np.maximum(steps - EVERY, 0)
print(
    f"start {traces[0]:.1f}, after 10⁵ steps: reference {REFERENCE}, ours {traces[-1]:.1f}, formula {predicted[-1]:.1f}"
)
print(f"gradient descent stops at {descent:.2f} (reference 180.14)")

plt.plot(steps, traces, label="two queries a step")
plt.plot(steps, predicted, "k--", label="predicted")
plt.axhline(descent, color="C1", label="gradient descent")
plt.axhline(2, color="grey", linestyle=":", label="flattest minimum")
plt.xlabel("steps")
plt.ylabel("trace of the Hessian at the minimum, ‖y‖² + ‖z‖²")
plt.legend()
plt.show()

assert abs(descent - 180.14) < 0.01
assert abs(traces[-1] / REFERENCE - 1) < 0.25
assert abs(traces[-1] / predicted[-1] - 1) < 0.25
