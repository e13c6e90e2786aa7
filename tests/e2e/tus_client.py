"""Uploads a file with an unmodified tuspy: `tus_client.py OPTIONS`. OPTIONS is JSON:

- `endpoint`, `token`, `path`: the server, the user, and the file;
- `chunkSize` in bytes; `checksum`: send the SHA-1 of each chunk;
- `uploadUrl`: the upload to continue; `stopAt`: stop at this offset.

Prints JSON: `{"url": …, "offset": …}`.
"""

import json
import sys

from tusclient import client

options = json.loads(sys.argv[1])
tus = client.TusClient(options["endpoint"], headers={"Authorization": f"Bearer {options['token']}"})
uploader = tus.uploader(
    options["path"],
    url=options.get("uploadUrl"),
    chunk_size=options["chunkSize"],
    metadata={"filename": "by-tuspy.csv", "filetype": "text/csv"},
    retries=60,
    retry_delay=0.5,
    upload_checksum=options.get("checksum", False),
)
uploader.upload(stop_at=options.get("stopAt"))
print(json.dumps({"url": uploader.url, "offset": uploader.offset}))
