"""What schemathesis does not know by itself: a piece of an upload is plain bytes."""

import schemathesis

schemathesis.serializer.alias("application/offset+octet-stream", "application/octet-stream")
