"""elasticsearch-py's own way from one cluster to another, measured from after its imports: source, target, index, documents of a chunk or "default"."""
import json
import resource
import sys
import time
import warnings

from elasticsearch import Elasticsearch, helpers

warnings.simplefilter("ignore")


def main(source, target, index, chunk):
    tuned = {} if chunk == "default" else {"chunk_size": int(chunk), "scan_kwargs": {"size": int(chunk)}}
    reading = Elasticsearch(source, timeout=300)
    writing = Elasticsearch(target, timeout=300)
    before = resource.getrusage(resource.RUSAGE_SELF)
    started = time.monotonic()
    helpers.reindex(reading, index, index, target_client=writing, **tuned)
    writing.indices.refresh(index=index)
    writing.indices.flush(index=index, wait_if_ongoing=True)
    seconds = time.monotonic() - started
    after = resource.getrusage(resource.RUSAGE_SELF)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(json.dumps({"seconds": seconds, "cpuSeconds": used, "peakRssMb": after.ru_maxrss / 1024}))


main(*sys.argv[1:])
