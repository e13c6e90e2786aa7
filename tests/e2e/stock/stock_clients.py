"""Uploads, downloads and cuts a file with one unmodified client: `stock_clients.py CLIENT OPTIONS`. OPTIONS is JSON:

- `base`, `token`: the server and the user;
- `path`, `name`, `encodedName`, `sha256`, `rows`: the file on disk, its name, its percent-encoded name, its digest, and
  the number of its rows;
- `file`: the id of the same file in Cutty;
- `cut`, `kept`: the query of a cut, and the ids in its result.

The script ends with a traceback if a result is wrong.
"""

import asyncio
import csv
import hashlib
import io
import json
import os
import sys
import urllib.parse

FILE = "/api/files"


def sha256(data):
    return hashlib.sha256(data).hexdigest()


class Setting:
    def __init__(self, options):
        self.__dict__.update(options)
        self.headers = {"Authorization": f"Bearer {self.token}"}
        self.upload_url = self.base + FILE
        self.file_url = f"{self.base}{FILE}/{self.file}"
        self.cut_url = f"{self.file_url}/cut"
        with open(self.path, "rb") as file:
            self.data = file.read()

    def named(self):
        """The headers of an upload whose body is the file."""
        return {**self.headers, "X-File-Name": self.encodedName}

    def pieces(self):
        """The file in pieces. A client that gets pieces sends a body without Content-Length."""
        for start in range(0, len(self.data), 100_000):
            yield self.data[start : start + 100_000]

    async def async_pieces(self):
        for piece in self.pieces():
            yield piece

    def expect_uploaded(self, status, answer, name=None):
        assert status == 201, (status, answer)
        assert answer["file"]["checksum"] == self.sha256, answer
        assert answer["file"]["filename"] == (name or self.name), answer

    def expect_file(self, data):
        assert sha256(data) == self.sha256, f"{len(data)} bytes are not the file"

    def expect_name(self, disposition):
        encoded = disposition.partition("filename*=UTF-8''")[2]
        assert urllib.parse.unquote(encoded) == self.name, disposition

    def expect_cut(self, text):
        rows = list(csv.DictReader(io.StringIO(text)))
        assert [row["id"] for row in rows] == self.kept, f"{len(rows)} rows are not the cut"
        assert list(rows[0]) == ["id", "customer"], rows[0]

    def expect_lines(self, lines):
        rows = [json.loads(line) for line in lines]
        assert [row["id"] for row in rows] == self.kept, f"{len(rows)} rows are not the cut"

    def save(self):
        """The body of a save of the cut."""
        return {"selectedColumns": ["id", "customer"], "whereFilters": {"amount": "> 990"}, "filename": "größer.csv"}

    def expect_saved(self, status, answer):
        assert status == 201, (status, answer)
        assert answer["file"]["filename"] == "größer.csv", answer
        assert answer["file"]["rowCount"] == len(self.kept), answer


def with_requests(setting):
    import requests

    session = requests.Session()
    session.headers.update(setting.headers)
    with open(setting.path, "rb") as file:
        answer = session.post(setting.upload_url, files={"file": file}, data={"tags": "a,b"})
    setting.expect_uploaded(answer.status_code, answer.json())
    with open(setting.path, "rb") as file:
        answer = session.post(setting.upload_url, data=file, headers=setting.named())
    setting.expect_uploaded(answer.status_code, answer.json())
    answer = session.post(setting.upload_url, data=setting.pieces(), headers=setting.named())
    setting.expect_uploaded(answer.status_code, answer.json())

    with session.get(setting.file_url, stream=True) as answer:
        answer.raise_for_status()
        setting.expect_name(answer.headers["Content-Disposition"])
        setting.expect_file(b"".join(answer.iter_content(1 << 16)))
    half = len(setting.data) // 2
    etag = session.head(setting.file_url).headers["ETag"]
    answer = session.get(setting.file_url, headers={"Range": f"bytes={half}-", "If-Range": etag})
    assert answer.status_code == 206
    setting.expect_file(setting.data[:half] + answer.content)
    answer = session.get(setting.file_url, headers={"If-None-Match": etag})
    assert answer.status_code == 304

    answer = session.get(f"{setting.cut_url}?{setting.cut}")
    answer.raise_for_status()
    setting.expect_cut(answer.text)
    answer = session.get(f"{setting.cut_url}?{setting.cut}", params={"format": "ndjson"}, stream=True)
    answer.raise_for_status()
    setting.expect_lines(answer.iter_lines())
    answer = session.post(f"{setting.file_url}/save", json=setting.save())
    setting.expect_saved(answer.status_code, answer.json())


def with_httpx(setting):
    import httpx

    with httpx.Client(base_url=setting.base, headers=setting.headers, timeout=120) as client:
        with open(setting.path, "rb") as file:
            answer = client.post(FILE, files={"file": file}, data={"tags": "a,b"})
        setting.expect_uploaded(answer.status_code, answer.json())
        answer = client.post(FILE, content=setting.data, headers=setting.named())
        setting.expect_uploaded(answer.status_code, answer.json())
        answer = client.post(FILE, content=setting.pieces(), headers=setting.named())
        setting.expect_uploaded(answer.status_code, answer.json())
        with client.stream("GET", setting.file_url) as answer:
            answer.raise_for_status()
            setting.expect_name(answer.headers["Content-Disposition"])
            setting.expect_file(b"".join(answer.iter_bytes()))
        answer = client.get(f"{setting.cut_url}?{setting.cut}").raise_for_status()
        assert answer.headers["Content-Encoding"] == "gzip"
        setting.expect_cut(answer.text)
        answer = client.post(f"{setting.file_url}/save", json=setting.save())
        setting.expect_saved(answer.status_code, answer.json())

    async def concurrently():
        async with httpx.AsyncClient(base_url=setting.base, headers=setting.headers, timeout=120) as client:
            uploaded, downloaded, cut = await asyncio.gather(
                client.post(FILE, content=setting.async_pieces(), headers=setting.named()),
                client.get(setting.file_url),
                client.get(f"{setting.cut_url}?{setting.cut}"),
            )
            setting.expect_uploaded(uploaded.status_code, uploaded.json())
            setting.expect_file(downloaded.raise_for_status().content)
            setting.expect_cut(cut.raise_for_status().text)

    asyncio.run(concurrently())


def with_aiohttp(setting):
    import aiohttp

    def form():
        form = aiohttp.FormData()
        form.add_field("tags", "a,b")
        form.add_field("file", io.BytesIO(setting.data), filename=setting.name, content_type="text/csv")
        return form

    async def run():
        async with aiohttp.ClientSession(headers=setting.headers) as session:
            async with session.post(setting.upload_url, data=form()) as answer:
                setting.expect_uploaded(answer.status, await answer.json())
            async with session.post(setting.upload_url, data=form(), expect100=True) as answer:
                setting.expect_uploaded(answer.status, await answer.json())
            with open(setting.path, "rb") as file:
                async with session.post(setting.upload_url, data=file, headers=setting.named()) as answer:
                    setting.expect_uploaded(answer.status, await answer.json())
            pieces = setting.async_pieces()
            async with session.post(setting.upload_url, data=pieces, headers=setting.named()) as answer:
                setting.expect_uploaded(answer.status, await answer.json())
            async with session.get(setting.file_url, raise_for_status=True) as answer:
                assert answer.content_disposition.filename == setting.name
                setting.expect_file(b"".join([piece async for piece in answer.content.iter_chunked(1 << 16)]))
            async with session.get(f"{setting.cut_url}?{setting.cut}", raise_for_status=True) as answer:
                setting.expect_cut(await answer.text())
            async with session.post(f"{setting.file_url}/save", json=setting.save()) as answer:
                setting.expect_saved(answer.status, await answer.json())

    asyncio.run(run())


def with_aiotus(setting):
    import aiohttp
    import aiotus

    # The keys of the metadata are those of the client's documentation.
    metadata = {"Filename": setting.name.encode(), "Content-Type": b"text/csv"}

    class Breaks:
        """Breaks the connection of one PATCH, after some of its bytes are sent."""

        def __init__(self):
            self.sent = 0
            self.methods = []

        def trace(self):
            trace = aiohttp.TraceConfig()
            trace.on_request_start.append(self.started)
            trace.on_request_chunk_sent.append(self.chunk_sent)
            return trace

        async def started(self, session, context, request):
            self.methods.append(request.method)

        async def chunk_sent(self, session, context, chunk):
            self.sent += len(chunk.chunk)
            if self.methods.count("PATCH") == 2 and "broken" not in self.methods:
                self.methods.append("broken")
                raise aiohttp.ClientOSError("this test breaks the connection")

    async def stored(session, location):
        """The file of a complete upload."""
        async with session.head(location, headers={"Tus-Resumable": "1.0.0"}, raise_for_status=True) as answer:
            id = answer.headers["X-File-Id"]
        async with session.get(f"{setting.base}{FILE}/{id}/metadata", raise_for_status=True) as answer:
            facts = await answer.json()
        setting.expect_uploaded(201, facts)
        async with session.get(f"{setting.base}{FILE}/{id}", raise_for_status=True) as answer:
            setting.expect_file(await answer.read())

    async def run():
        endpoint = f"{setting.base}/api/uploads"
        with open(setting.path, "rb") as file:
            location = await aiotus.upload(endpoint, file, metadata, headers=setting.headers)
        assert location is not None, "aiotus logged an error"
        assert await aiotus.metadata(location, headers=setting.headers) == metadata
        async with aiohttp.ClientSession(headers=setting.headers) as session:
            await stored(session, location)

        breaks = Breaks()
        async with aiohttp.ClientSession(headers=setting.headers, trace_configs=[breaks.trace()]) as session:
            with open(setting.path, "rb") as file:
                location = await aiotus.upload(endpoint, file, metadata, session, chunksize=600_000)
            assert location is not None, "aiotus logged an error"
            # After the break, HEAD asks for the offset.
            expected = ["POST", "HEAD", "PATCH", "PATCH", "broken", "HEAD", "PATCH"]
            assert breaks.methods[: len(expected)] == expected, breaks.methods
            await stored(session, location)

    asyncio.run(run())


def with_fsspec(setting):
    import fsspec

    files = fsspec.filesystem("http", client_kwargs={"headers": setting.headers})
    assert files.exists(setting.file_url)
    assert files.info(setting.file_url)["size"] == len(setting.data)
    with files.open(setting.file_url, block_size=100_000) as file:
        for start in [2_000_000, 17, 1_500_000]:
            file.seek(start)
            assert file.read(1000) == setting.data[start : start + 1000]
        file.seek(-100, os.SEEK_END)
        assert file.read() == setting.data[-100:]
    ranges = files.cat_ranges([setting.file_url] * 2, [5, 1_000_000], [50, 1_000_100])
    assert ranges == [setting.data[5:50], setting.data[1_000_000:1_000_100]]
    copy = setting.path + ".copy"
    files.get_file(setting.file_url, copy)
    with open(copy, "rb") as file:
        setting.expect_file(file.read())
    # The length of a cut is not known, so the client reads it as a stream.
    options = {"client_kwargs": {"headers": setting.headers}}
    with fsspec.open(f"{setting.cut_url}?{setting.cut}", "rt", encoding="utf-8", **options) as cut:
        setting.expect_cut(cut.read())


def with_pandas(setting):
    import pandas

    file = pandas.read_csv(setting.file_url, storage_options=setting.headers)
    assert len(file) == setting.rows and list(file.columns) == ["id", "customer", "amount", "note"]
    kept = file[file.amount > 990]
    assert [str(id) for id in kept.id] == setting.kept
    cut_url = f"{setting.cut_url}?{setting.cut}"
    cut = pandas.read_csv(cut_url, storage_options=setting.headers)
    pandas.testing.assert_frame_equal(cut, kept[["id", "customer"]].reset_index(drop=True))
    lines = pandas.read_json(f"{cut_url}&format=ndjson&typed=true", lines=True, storage_options=setting.headers)
    assert list(lines.id) == list(kept.id)
    array = pandas.read_json(f"{cut_url}&format=json&typed=true", storage_options=setting.headers)
    assert list(array.id) == list(kept.id)
    packed = pandas.read_csv(f"{cut_url}&compress=gzip", compression="gzip", storage_options=setting.headers)
    assert list(packed.id) == list(kept.id)
    with pandas.read_csv(setting.file_url, storage_options=setting.headers, chunksize=10_000) as chunks:
        assert sum(len(chunk) for chunk in chunks) == setting.rows


def with_duckdb(setting):
    import duckdb
    import duckdb_extension_httpfs

    # DuckDB downloads its extension httpfs from its own server. This package has the same file, which DuckDB accepts
    # only with the signature of its developers.
    folder = os.path.dirname(duckdb_extension_httpfs.__file__)
    database = duckdb.connect()
    database.load_extension(f"{folder}/extensions/v{duckdb.__version__}/httpfs.duckdb_extension")
    database.execute(f"CREATE SECRET (TYPE http, BEARER_TOKEN '{setting.token}')")

    def ask(query, url):
        return database.execute(query.replace("URL", f"'{url}'")).fetchall()

    assert ask("SELECT count(*) FROM read_csv_auto(URL)", setting.file_url) == [(setting.rows,)]
    kept = [(int(id),) for id in setting.kept]
    assert ask("SELECT id FROM read_csv(URL) WHERE amount > 990 ORDER BY id", setting.file_url) == kept
    cut_url = f"{setting.cut_url}?{setting.cut}"
    assert ask("SELECT id FROM read_csv_auto(URL)", cut_url) == kept
    assert ask("SELECT id FROM read_json_auto(URL)", f"{cut_url}&format=ndjson&typed=true") == kept
    assert ask("SELECT id FROM read_json_auto(URL)", f"{cut_url}&format=json&typed=true") == kept


client, options = sys.argv[1:]
globals()[f"with_{client}"](Setting(json.loads(options)))
