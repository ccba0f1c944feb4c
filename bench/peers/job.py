"""What the peers share: the job that the harness hands over, and the sign to begin.

    python PEER.py prepare JOB     makes the snapshot that the peer compares with; not timed
    python PEER.py run JOB         says that it is ready, waits for the sign, and works

JOB is a JSON object: `base` and `later` (Parquet), `snapshot` (a path that the peer may use), `out` (the folder of the three sets),
`id` (columns), `threads`.
"""

import json
import sys
import time


def verb():
    return sys.argv[1]


def job():
    return json.loads(sys.argv[2])


def begin():
    """Everything is loaded: says so, with the processor's seconds that went into it, and waits for the sign."""
    print(f"ready {time.process_time()}", flush=True)
    if sys.stdin.readline() != "go\n":
        sys.exit("no sign to begin")
