"""Calls a running Cutty as operator: `fsck` runs the whole self-check, `sweep` runs all sweeps now.

    operate.py fsck URL [--deep]     prints each violation with its repair; exits with 1 if there is a violation
    operate.py sweep URL             prints a line for each sweep; exits with 1 if anything failed

The token is OPERATOR_TOKEN from the environment. If the environment has no OPERATOR_TOKEN, the token is read from
.dev.vars in the current folder. Exits with 2 if there is no result, for example because the server cannot be reached.
"""

import json
import os
import re
import sys
import time
import urllib.error
import urllib.request

TRIES = 5


def operator_token():
    token = os.environ.get("OPERATOR_TOKEN")
    if not token and os.path.exists(".dev.vars"):
        with open(".dev.vars", encoding="utf-8") as lines:
            found = re.search(r'^OPERATOR_TOKEN\s*=\s*"?([^"\s]+)"?\s*$', lines.read(), re.MULTILINE)
        token = found and found.group(1)
    if not token:
        fail("OPERATOR_TOKEN is neither in the environment nor in .dev.vars; run scripts/setup to create one")
    return token


def fail(reason):
    print(f"error: {reason}", file=sys.stderr)
    sys.exit(2)


def post(url, token, body):
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    for attempt in range(TRIES):
        request = urllib.request.Request(url, json.dumps(body).encode(), headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=600) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            text = error.read().decode(errors="replace")
            if error.code != 503 or attempt == TRIES - 1:
                fail(f"{url} responded with {error.code}: {text}")
            time.sleep(float(error.headers.get("retry-after", 2)))
        except OSError as error:
            fail(f"{url} cannot be reached: {error}")


def progress(text):
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def fsck(url, token, deep):
    checked, violations, cursor = 0, 0, None
    while True:
        page = post(f"{url}/api/admin/fsck", token, {"deep": deep, "cursor": cursor})
        checked += page["checked"]
        violations += len(page["violations"])
        progress("")
        for found in page["violations"]:
            print(f"{found['code']}  {found['subject']}\n    {found['detail']}\n    what to do: {found['whatToDo']}")
        progress(f"{checked} checked, {violations} violations ({page['phase']})")
        if page["complete"]:
            break
        cursor = page["cursor"]
    progress("")
    how = "with all bytes read" if deep else "without reading bytes (DEEP=1 reads them)"
    print(f"{checked} files, objects, quotas and rows checked, {how}: {violations or 'no'} violations")
    return 1 if violations else 0


def sweep(url, token):
    response = post(f"{url}/api/admin/sweeps", token, {})
    for run in response["sweeps"]:
        more = " (continues in the next run)" if run["cursor"] else ""
        details = " ".join(f"{name}={count}" for name, count in run["details"].items())
        error = f"  error: {run['error']}" if run["error"] else ""
        counts = f"examined {run['examined']}, changed {run['changed']}, failed {run['failed']}"
        print(f"{run['kind']:<16} {counts}{more}  {details}{error}".rstrip())
    return 1 if response["failed"] else 0


def main(arguments):
    if len(arguments) < 2 or arguments[0] not in ("fsck", "sweep"):
        fail(__doc__)
    command, url = arguments[0], arguments[1].rstrip("/")
    token = operator_token()
    if command == "fsck":
        return fsck(url, token, "--deep" in arguments[2:])
    return sweep(url, token)


sys.exit(main(sys.argv[1:]))
