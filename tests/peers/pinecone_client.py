"""Drives the peer of tests/src/pinecone with Pinecone's own client: what it sends is understood, what it reads makes sense.

Usage: PYTHONPATH=<directory with the package pinecone> python3 pinecone_client.py <address of the control plane>
"""

import sys
import time

from pinecone import Pinecone, ServerlessSpec

SPACE = "a space"


def check(condition, what):
    if not condition:
        sys.exit(f"failed: {what}")


def eventually(read, wanted, what):
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        found = read()
        if found == wanted:
            return
        time.sleep(0.02)
    sys.exit(f"failed: {what}: {found!r} instead of {wanted!r}")


def refused(call, what):
    try:
        call()
    except Exception as error:  # The client has an exception of its own for each status.
        status = getattr(error, "status", None) or getattr(error, "status_code", None)
        check(status is None or 400 <= int(status) < 500, f"{what} is refused as {error!r}")
        return
    sys.exit(f"failed: {what} is not refused")


def main():
    url = sys.argv[1]
    client = Pinecone(api_key="any", host=url)
    spec = ServerlessSpec(cloud="aws", region="us-east-1")
    for metric in ["cosine", "euclidean", "dotproduct"]:
        name = f"client-3-{metric}"
        client.create_index(name=name, dimension=3, metric=metric, spec=spec)
        described = client.describe_index(name)
        check((described.dimension, described.metric) == (3, metric), f"{name} is described as {described}")
        check(described.status.ready, "the index is not ready after it was made")
        check(name in [index.name for index in client.list_indexes()], "the index is not listed")
        index = client.Index(host=f"http://{described.host}" if "://" not in described.host else described.host)
        operate(index, metric)
        client.delete_index(name)
        check(name not in [index.name for index in client.list_indexes()], "the index is listed after it was deleted")
    print(f"Pinecone's client {version()} takes the peer for Pinecone")


def version():
    from importlib import metadata

    return metadata.version("pinecone")


def operate(index, metric):
    vectors = [
        {"id": f"row#{n:03}", "values": [1.0, n / 10, 0.5], "metadata": {"n": n, "even": n % 2 == 0, "text": f"t{n}", "tags": ["x", f"y{n % 3}"]}}
        for n in range(250)
    ]
    written = index.upsert(vectors=vectors, namespace=SPACE)
    check(written.upserted_count == 250, f"upsert says {written}")
    count = lambda: getattr(index.describe_index_stats().namespaces.get(SPACE), "vector_count", 0)
    eventually(count, 250, "the count after upsert")

    fetched = index.fetch(ids=["row#007", "nobody"], namespace=SPACE)
    check(list(fetched.vectors) == ["row#007"], f"fetch gives {list(fetched.vectors)}")
    seven = fetched.vectors["row#007"]
    check(abs(seven.values[1] - 0.7) < 1e-6 and seven.metadata["n"] == 7 and seven.metadata["tags"] == ["x", "y1"], f"fetch gives {seven}")

    query = {"vector": [1.0, 0.7, 0.5], "namespace": SPACE, "include_metadata": True}
    hits = index.query(top_k=5, **query).matches
    check(len(hits) == 5, "query gives another number of hits")
    if metric == "euclidean":
        check(hits[0].id == "row#007" and [h.score for h in hits] == sorted(h.score for h in hits), f"nearest first: {hits}")
        check(abs(hits[1].score - 0.01) < 1e-5, "a distance is told as its square")
    else:
        check([h.score for h in hits] == sorted((h.score for h in hits), reverse=True), f"best first: {hits}")
    ids = lambda filter: sorted(hit.id for hit in index.query(top_k=300, filter=filter, **query).matches)
    check(ids({"n": {"$gte": 10, "$lt": 13}}) == ["row#010", "row#011", "row#012"], "a range of numbers")
    check(ids({"$or": [{"text": "t3"}, {"text": {"$in": ["t4", "none"]}}]}) == ["row#003", "row#004"], "$or, $eq and $in")
    check(len(ids({"$and": [{"tags": {"$in": ["y0"]}}, {"even": True}]})) == 42, "a list of texts and a truth value")
    check(len(ids({"tags": {"$nin": ["y0"]}})) == 166 and len(ids({"n": {"$ne": 3}})) == 249, "$nin and $ne")
    check(ids({"nowhere": {"$exists": True}}) == [] and len(ids({"n": {"$exists": True}})) == 250, "$exists")

    found = index.fetch_by_metadata(filter={"n": {"$lt": 150}}, namespace=SPACE, limit=100)
    check(len(found.vectors) == 100 and found.pagination.next, "fetch_by_metadata gives a page and where to go on")
    more = index.fetch_by_metadata(filter={"n": {"$lt": 150}}, namespace=SPACE, limit=100, pagination_token=found.pagination.next)
    check(len(more.vectors) == 50 and not set(more.vectors) & set(found.vectors), "the next page goes on")

    page = index.list_paginated(prefix="row#1", limit=60, namespace=SPACE)
    check(len(page.vectors) == 60 and page.pagination.next, "list gives a page")
    rest = index.list_paginated(prefix="row#1", limit=60, namespace=SPACE, pagination_token=page.pagination.next)
    listed = [item.id for item in [*page.vectors, *rest.vectors]]
    check(listed == [f"row#{n}" for n in range(100, 200)], "list gives ids in order")

    index.update(id="row#007", set_metadata={"text": "changed"}, namespace=SPACE)
    eventually(lambda: index.fetch(ids=["row#007"], namespace=SPACE).vectors["row#007"].metadata["text"], "changed", "update")
    index.delete(ids=["row#000", "row#001"], namespace=SPACE)
    eventually(count, 248, "the count after delete by ids")
    index.delete(filter={"n": {"$lt": 10}}, namespace=SPACE)
    eventually(count, 240, "the count after delete by filter")

    one = lambda **changes: {"id": "x", "values": [1.0, 0.0, 0.0], **changes}
    for what, vector in {
        "a vector of another length": one(values=[1.0]),
        "a zero vector": one(values=[0.0, 0.0, 0.0]),
        "nested metadata": one(metadata={"a": {"b": 1}}),
        "a list of numbers": one(metadata={"a": [1, 2]}),
        "too much metadata": one(metadata={"a": "x" * 50_000}),
        "an id that is not ASCII": one(id="\u00e9"),
    }.items():
        refused(lambda: index.upsert(vectors=[vector], namespace=SPACE), what)
    refused(lambda: index.query(top_k=10_001, **query), "a top_k of 10,001")
    refused(lambda: index.query(top_k=1, filter={"n": {"$near": 1}}, **query), "an operator that is none")

    index.delete(delete_all=True, namespace=SPACE)
    eventually(count, 0, "the count after delete of all")
    check(SPACE in [n.name for n in index.list_namespaces()], "the namespace is not listed")
    index.delete_namespace(namespace=SPACE)
    eventually(lambda: [n.name for n in index.list_namespaces()], [], "the namespaces after delete")


main()
