#!/usr/bin/env bash
# lmdb 3.0.0 (LMDB 0.9.36): the same transactions in the same order make files that differ, by whether one process did
# them or two. Unused bytes of a page hold what an earlier page of the environment left in memory, although `meminit`,
# the default, promises to clear it: memory that was used before within the process is not cleared. An environment that
# is opened anew for each transaction gives the same bytes however the work is divided.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet lmdb==3.0.0 2> /dev/null
cd "$folder"
cat > put.py << 'PYTHON'
import random
import sys

import lmdb

path, first, last, anew = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "anew"
rng = random.Random(0)
items = [(f"{number:04d}".encode(), rng.randbytes(rng.randrange(1000, 300_000))) for number in range(60)]
environment = lmdb.open(path, map_size=64 << 20)
for batch in range(first, last, 7):
    if anew:
        environment.close()
        environment = lmdb.open(path, map_size=64 << 20)
    with environment.begin(write=True) as transaction:
        for key, value in items[batch : batch + 7]:
            transaction.put(key, value, append=True)
environment.close()
PYTHON
for way in kept anew; do
	env/bin/python put.py "one $way" 0 60 $way
	env/bin/python put.py "two $way" 0 56 $way
	env/bin/python put.py "two $way" 56 60 $way
	cmp --silent "one $way/data.mdb" "two $way/data.mdb" && echo "$way: same" || echo "$way: differs"
done | tee told
[ "$(cat told)" = "$(printf 'kept: differs\nanew: same')" ]
