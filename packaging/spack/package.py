"""Spack package of dfedsam: a template, to be placed in a repository as packages/py-dfedsam/package.py."""

from spack.package import *  # noqa: F403


class PyDfedsam(PythonPackage):  # noqa: F405
    """A simulator of decentralised black-box prompt tuning."""

    pypi = "dfedsam/dfedsam-0.1.0.tar.gz"
    license("Apache-2.0")

    version("0.1.0", sha256="0" * 64)  # noqa: F405  (of the published sdist)

    variant("fast", default=False, description="Compiled gossip steps for wide rows")  # noqa: F405

    depends_on("python@3.10:3.13", type=("build", "run"))  # noqa: F405
    depends_on("py-setuptools@77:", type="build")  # noqa: F405
    depends_on("mpi", type="run")  # noqa: F405
    depends_on("py-numpy@2.0:", type=("build", "run"))  # noqa: F405
    depends_on("py-scipy@1.15:", type=("build", "run"))  # noqa: F405
    depends_on("py-networkx@3.4:", type=("build", "run"))  # noqa: F405
    depends_on("py-mpi4py@4.1:", type=("build", "run"))  # noqa: F405
    depends_on("py-torch@2.4:", type=("build", "run"))  # noqa: F405
    depends_on("py-transformers@5.3:", type=("build", "run"))  # noqa: F405
    depends_on("py-sentence-transformers@6:6", type=("build", "run"))  # noqa: F405
    depends_on("py-datasets@3.0:", type=("build", "run"))  # noqa: F405
    depends_on("py-safetensors@0.4.5:", type=("build", "run"))  # noqa: F405
    depends_on("py-matplotlib@3.9:", type=("build", "run"))  # noqa: F405
    depends_on("py-pandas@2.2.2:", type=("build", "run"))  # noqa: F405
    depends_on("py-jsonargparse+signatures@4.53:4", type=("build", "run"))  # noqa: F405
    depends_on("py-argcomplete@3.5:", type=("build", "run"))  # noqa: F405
    depends_on("py-rich@13.7:", type=("build", "run"))  # noqa: F405
    depends_on("py-pyyaml@6:", type=("build", "run"))  # noqa: F405
    depends_on("py-jinja2@3.1.2:", type=("build", "run"))  # noqa: F405
    depends_on("py-docstring-parser@0.15:", type=("build", "run"))  # noqa: F405
    depends_on("py-lazy-loader@0.6:", type=("build", "run"))  # noqa: F405
    depends_on("py-platformdirs@4:", type=("build", "run"))  # noqa: F405
    depends_on("py-packaging@24.2:", type=("build", "run"))  # noqa: F405
    depends_on("py-filelock@3.16:", type=("build", "run"))  # noqa: F405
    depends_on("py-threadpoolctl@3.1:", type=("build", "run"))  # noqa: F405
    depends_on("py-numba@0.61:", type="run", when="+fast")  # noqa: F405
