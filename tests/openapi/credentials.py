"""Makes the credentials with which scripts/openapi sends random requests, and prints each with its name.

Usage: OPERATOR=... TOKEN=... credentials.py URL
TOKEN is an access token of the user whose file the requests are about.
"""

import json
import os
import sys
import urllib.request

URL = sys.argv[1]


def send(method, path, body, token=None):
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(URL + path, json.dumps(body).encode(), headers, method=method)
    with urllib.request.urlopen(request) as response:
        return json.load(response)


def register(name):
    account = {"username": f"{name}-{os.getpid()}-{os.urandom(4).hex()}", "password": "correct horse battery"}
    return send("POST", "/api/auth/register", account)


other = register("other")["tokens"]["access_token"]
admin = register("admin")
send("PATCH", f"/api/admin/users/{admin['user']['id']}", {"role": "admin"}, os.environ["OPERATOR"])
scopes = {"name": "random requests", "scopes": ["read", "write", "cut", "share"]}
key = send("POST", "/api/keys", scopes, os.environ["TOKEN"])["secret"]
for name, secret in [("other", other), ("admin", admin["tokens"]["access_token"]), ("key", key)]:
    print(name, secret)
