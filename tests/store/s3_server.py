"""As much of S3's HTTP API as obstore speaks, in memory and over loopback.

One bucket; requests are not checked but for bearing a signature. It can be away, and it can keep one object to itself.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import md5
from typing import Final
from urllib.parse import unquote
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from aiohttp import web

BUCKET: Final = "bucket"
NAMESPACE: Final = "http://s3.amazonaws.com/doc/2006-03-01/"


@dataclass(frozen=True, slots=True)
class Kept:
    """An object as it was put."""

    data: bytes
    at: datetime

    @property
    def etag(self) -> str:
        return f'"{md5(self.data, usedforsecurity=False).hexdigest()}"'


@dataclass(slots=True)
class S3Server:
    """The bucket. `objects` by key; `forbidden` keys answer 403; while `is_away` everything answers 400."""

    objects: dict[str, Kept] = field(default_factory=dict)
    forbidden: set[str] = field(default_factory=set)
    is_away: bool = False
    url: str = ""
    now: datetime | None = None
    _uploads: dict[str, dict[int, bytes]] = field(default_factory=dict)

    def environment(self) -> Mapping[str, str]:
        """How a client finds it."""
        return {
            "AWS_ENDPOINT": self.url,
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "access",
            "AWS_SECRET_ACCESS_KEY": "secret",
        }

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if self.is_away or "AWS4-HMAC-SHA256" not in request.headers.get("Authorization", ""):
            return _error(400, "NotNow")
        key = unquote(request.raw_path.partition("?")[0]).removeprefix(f"/{BUCKET}").removeprefix("/")
        if key in self.forbidden:
            return _error(403, "AccessDenied")
        match request.method:
            case "PUT" if "x-amz-copy-source" in request.headers:
                return self._copy(unquote(request.headers["x-amz-copy-source"]), key)
            case "PUT" if "uploadId" in request.query:
                self._uploads[request.query["uploadId"]][int(request.query["partNumber"])] = await request.read()
                return web.Response(headers={"ETag": f'"{request.query["partNumber"]}"'})
            case "PUT":
                return self._put(key, await request.read())
            case "POST" if "delete" in request.query:
                return self._delete_all(await request.text())
            case "POST":
                return self._multipart(key, request.query)
            case "DELETE":
                self._uploads.pop(request.query.get("uploadId", ""), None)
                if "uploadId" not in request.query:
                    self.objects.pop(key, None)
                return web.Response(status=204)
            case "GET" if not key:
                return self._list(request.query.get("prefix", ""))
            case _:
                return self._get(key)

    def _put(self, key: str, data: bytes) -> web.Response:
        self.objects[key] = Kept(data, self.now or datetime.now(UTC))  # noqa: TID251
        return web.Response(headers={"ETag": self.objects[key].etag})

    def _copy(self, source: str, key: str) -> web.Response:
        kept = self.objects.get(source.removeprefix("/").removeprefix(f"{BUCKET}/"))
        if kept is None:
            return _error(404, "NoSuchKey")
        self._put(key, kept.data)
        return _xml(f"<CopyObjectResult><ETag>{escape(kept.etag)}</ETag></CopyObjectResult>")

    def _multipart(self, key: str, query: Mapping[str, str]) -> web.Response:
        if "uploads" in query:
            upload_id = f"upload-{len(self._uploads)}"
            self._uploads[upload_id] = {}
            return _xml(
                f"<InitiateMultipartUploadResult><UploadId>{upload_id}</UploadId></InitiateMultipartUploadResult>"
            )
        parts = self._uploads.pop(query["uploadId"])
        self._put(key, b"".join(parts[number] for number in sorted(parts)))
        etag = escape(self.objects[key].etag)
        return _xml(f"<CompleteMultipartUploadResult><ETag>{etag}</ETag></CompleteMultipartUploadResult>")

    def _delete_all(self, body: str) -> web.Response:
        keys = [found.text or "" for found in ElementTree.fromstring(body).iter() if found.tag.endswith("Key")]
        for key in keys:
            self.objects.pop(key, None)
        deleted = "".join(f"<Deleted><Key>{escape(key)}</Key></Deleted>" for key in keys)
        return _xml(f'<DeleteResult xmlns="{NAMESPACE}">{deleted}</DeleteResult>')

    def _list(self, prefix: str) -> web.Response:
        found = "".join(
            f"<Contents><Key>{escape(key)}</Key><LastModified>{kept.at.isoformat()}</LastModified>"
            f"<ETag>{escape(kept.etag)}</ETag><Size>{len(kept.data)}</Size></Contents>"
            for key, kept in sorted(self.objects.items())
            if key.startswith(prefix)
        )
        return _xml(f'<ListBucketResult xmlns="{NAMESPACE}"><IsTruncated>false</IsTruncated>{found}</ListBucketResult>')

    def _get(self, key: str) -> web.Response:
        kept = self.objects.get(key)
        if kept is None:
            return _error(404, "NoSuchKey")
        modified = kept.at.strftime("%a, %d %b %Y %H:%M:%S GMT")
        return web.Response(body=kept.data, headers={"ETag": kept.etag, "Last-Modified": modified})


def _xml(text: str, status: int = 200) -> web.Response:
    return web.Response(text=f'<?xml version="1.0" encoding="UTF-8"?>{text}', status=status, content_type="text/xml")


def _error(status: int, code: str) -> web.Response:
    return _xml(f"<Error><Code>{code}</Code><Message>{code}</Message></Error>", status)


@asynccontextmanager
async def s3_server() -> AsyncIterator[S3Server]:
    """The server, until the block ends."""
    server = S3Server()
    app = web.Application(client_max_size=2**30)
    app.router.add_route("*", "/{key:.*}", server.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        async with asyncio.timeout(10):
            await web.TCPSite(runner, "127.0.0.1", 0).start()
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield server
    finally:
        await runner.cleanup()
