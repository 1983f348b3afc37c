"""Bulk scoring of a folder or an object store, and the files it leaves."""

from lgn_tf.parallel import bulk_score


def contents(folder):
    return {
        f"{kind}/{file.name}": file.read_bytes()
        for kind in ("frames", "maps")
        for file in (folder / kind).iterdir()
    }


def bulk(place, out="out", folder="store", **given):
    return bulk_score.score(
        *(str(place / name) for name in ("run", folder, out)),
        say=lambda _: None,
        **given,
    )


def in_bucket(place):
    """As `bulk`, in an object store; what is written is copied to `far`."""
    import fsspec

    bucket = fsspec.filesystem("memory")
    root = f"memory:/{place}"
    for name in ("run", "store"):
        bucket.put(str(place / name), f"{root}/{name}", recursive=True)
    counts = bulk_score.score(
        f"{root}/run", f"{root}/store", f"{root}/far", say=lambda _: None
    )
    bucket.get(f"{root}/far", str(place / "far"), recursive=True)
    return counts
