"""The root is the package: maps `dovetail` to "." and finds its sub-packages (metadata: pyproject.toml)."""

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

NOT_SHIPPED = ["tests", "tests.*", "benchmarks", "benchmarks.*", "examples", "examples.*", "docs", "docs.*"]


class BuildPackage(build_py):
    """Leaves this file out, which lies in the package's folder without belonging to it."""

    def find_package_modules(self, package: str, package_dir: str) -> list[tuple[str, str, str]]:
        modules = super().find_package_modules(package, package_dir)
        return [module for module in modules if module[:2] != ("dovetail", "setup")]


setup(
    cmdclass={"build_py": BuildPackage},
    package_dir={"dovetail": "."},
    packages=["dovetail", *(f"dovetail.{name}" for name in find_packages(".", exclude=NOT_SHIPPED))],
    package_data={"": ["*.css", "*.csv", "*.html", "*.js", "*.yaml"], "dovetail": ["py.typed", "configs/**/*"]},
    include_package_data=False,
)
