r"""Checks a wheel: its contents, and that it works where nothing else is.

    python -m tools.check_wheel dist/*.whl --reuse
    python -m tools.check_wheel dist/*.whl \
        --python python3.11 python3.12 \
        --lock requirements.lock requirements-latest.lock

The wheel must hold the packages of this checkout, file for file, and nothing
else. Then it is installed without its dependencies, and the commands are run
on drawn videos, outside the checkout: train, evaluate, report, export, serve.
`--reuse` takes the dependencies from the environment that runs this program,
which is a matter of a minute; `--python` and `--lock` make a clean environment
for each pair. Needs the standard library alone.
"""
