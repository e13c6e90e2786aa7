"""Teaches schemathesis the media type of the bytes of tus uploads."""

import schemathesis

schemathesis.serializer.alias("application/offset+octet-stream", "application/octet-stream")
