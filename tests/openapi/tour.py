"""The tour of README.md with a client that openapi-python-client has generated.

Usage: tour.py URL USERNAME. The generated package `generated_client` must be on the path of Python. Prints the access
token of the new account and the id of a file, for the tests that follow.
"""

import sys
from io import BytesIO

from generated_client import AuthenticatedClient, Client
from generated_client.api.auth import login, register
from generated_client.api.cuts import get_cut, get_receipt, get_rows, post_cut, save_cut
from generated_client.api.files import delete_file, get_file, list_files, post_file, restore_file
from generated_client.models import (
    CutBody,
    ListFilesSort,
    LoginRequest,
    Problem,
    RegisterRequest,
    SavedCutBody,
    UploadForm,
)
from generated_client.types import File

CSV = "carrier,dep_delay\nUA,2\nAA,75\nB6,90\n"


def done(response, status):
    """Returns the parsed body of a response with this status."""
    assert response.status_code == status, (response.status_code, response.content)
    return response.parsed


url, username = sys.argv[1:]
password = "correct horse battery"
open_client = Client(base_url=url)
account = RegisterRequest(username=username, password=password, email=f"{username}@example.com", password2=password)
done(register.sync_detailed(client=open_client, body=account), 201)
session = done(login.sync_detailed(client=open_client, body=LoginRequest(username=username, password=password)), 200)
client = AuthenticatedClient(base_url=url, token=session.tokens.access_token)

form = UploadForm(file=File(payload=BytesIO(CSV.encode()), file_name="flights.csv", mime_type="text/csv"), tags="tour")
file = done(post_file.sync_detailed(client=client, body=form), 201).file
assert (file.filename, file.user_tags) == ("flights.csv", ["tour"]), file

cut = get_cut.sync_detailed(file.id, client=client, columns="carrier", limit=1)
assert cut.content == b"carrier\nUA\n", cut
assert done(cut, 200), cut
receipt = done(get_receipt.sync_detailed(cut.headers["x-cut-id"], client=client), 200).cut
assert receipt.complete, receipt

body = CutBody.from_dict({"selectedColumns": ["carrier"], "whereFilters": {"dep_delay": "> 60"}})
assert done(post_cut.sync_detailed(file.id, client=client, body=body), 200)
late = SavedCutBody.from_dict({"whereFilters": {"dep_delay": "> 60"}, "filename": "late.csv"})
saved = done(save_cut.sync_detailed(file.id, client=client, body=late), 201).file

download = get_file.sync_detailed(saved.id, client=client)
assert done(download, 200) and download.content == b"carrier,dep_delay\nAA,75\nB6,90\n", download
rows = done(get_rows.sync_detailed(saved.id, client=client, offset=1, limit=1), 200)
assert rows.rows == [["B6", "90"]], rows

listed = done(list_files.sync_detailed(client=client, sort=ListFilesSort("-size"), limit=10), 200)
assert len(listed.files) == 2, listed
done(delete_file.sync_detailed(saved.id, client=client), 200)
gone = get_file.sync_detailed(saved.id, client=client)
assert isinstance(done(gone, 404), Problem), gone
done(restore_file.sync_detailed(saved.id, client=client), 200)
done(delete_file.sync_detailed(saved.id, client=client, permanent=True), 200)
spare = RegisterRequest(username=f"{username}-spare", password=password)
spare = done(register.sync_detailed(client=open_client, body=spare), 201)
print(session.tokens.access_token, file.id, spare.tokens.access_token)
