"""Spack package of dfedsam: a template, to be placed in a repository as packages/py-dfedsam/package.py."""

from spack.package import *  # noqa: F403


class PyDfedsam(PythonPackage):  # noqa: F405
    """A simulator of decentralised black-box prompt tuning."""

    pypi = "dfedsam/dfedsam-0.1.0.tar.gz"
    license("Apache-2.0")

    version("0.1.0", sha256="0" * 64)  # noqa: F405  (of the published sdist)

    depends_on("python@3.10:3.13", type=("build", "run"))  # noqa: F405
    depends_on("py-setuptools@77:", type="build")  # noqa: F405
    depends_on("mpi", type="run")  # noqa: F405
    depends_on("py-numpy", type=("build", "run"))  # noqa: F405
    depends_on("py-scipy", type=("build", "run"))  # noqa: F405
    depends_on("py-networkx", type=("build", "run"))  # noqa: F405
    depends_on("py-mpi4py", type=("build", "run"))  # noqa: F405
    depends_on("py-torch", type=("build", "run"))  # noqa: F405
    depends_on("py-transformers", type=("build", "run"))  # noqa: F405
    depends_on("py-sentence-transformers", type=("build", "run"))  # noqa: F405
    depends_on("py-datasets", type=("build", "run"))  # noqa: F405
    depends_on("py-safetensors", type=("build", "run"))  # noqa: F405
    depends_on("py-matplotlib", type=("build", "run"))  # noqa: F405
    depends_on("py-pandas", type=("build", "run"))  # noqa: F405
    depends_on("py-jsonargparse", type=("build", "run"))  # noqa: F405
    depends_on("py-argcomplete", type=("build", "run"))  # noqa: F405
    depends_on("py-rich", type=("build", "run"))  # noqa: F405
    depends_on("py-pyyaml", type=("build", "run"))  # noqa: F405
    depends_on("py-jinja2", type=("build", "run"))  # noqa: F405
    depends_on("py-docstring-parser", type=("build", "run"))  # noqa: F405
    depends_on("py-lazy-loader", type=("build", "run"))  # noqa: F405
    depends_on("py-platformdirs", type=("build", "run"))  # noqa: F405
    depends_on("py-filelock", type=("build", "run"))  # noqa: F405
    depends_on("py-threadpoolctl", type=("build", "run"))  # noqa: F405
