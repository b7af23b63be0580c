"""Prints each message of your conversations once, in order, even if servers fail: resume.py URL EMAIL PASSWORD"""

import itertools
import json
import random
import sys
import time
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

if len(sys.argv) != 4:
    sys.exit(f"usage: python {sys.argv[0]} URL EMAIL PASSWORD")
BASE, LOGIN = sys.argv[1], {"email": sys.argv[2], "password": sys.argv[3]}
headers, positions = {"Content-Type": "application/json"}, {}


def call(path, body=None):
    with urlopen(Request(f"{BASE}/api/v1{path}", body and json.dumps(body).encode(), headers), timeout=10) as answer:
        return json.load(answer)


def changes_after(conversation, position):
    """A page of changes over REST, for a conversation that `resume` cannot repair."""
    try:
        return call(f"/conversations/{conversation}/changes/?after={position}")["items"]
    except HTTPError as error:
        if error.code == 409:  # a restored backup is behind our position: read what there is now from the beginning
            positions[conversation] = 0
        elif error.code not in (403, 404):  # no longer a member: `access.revoked` follows
            raise
        return []


def listen(socket):
    missed, resuming = set(), set()  # conversations to `resume`, and those in the one `resume` in progress
    for frame in map(json.loads, socket):
        kind, conversation, changes = frame["type"], frame.get("conversation"), []
        mine = positions.get(conversation, 0)
        if kind in ("hello", "conversations"):
            missed |= {one["id"] for one in frame["conversations"] if one["position"] != positions.get(one["id"], 0)}
        elif kind == "caught_up":
            resuming = set()
        elif kind == "access.revoked":
            missed.discard(conversation)
        elif kind == "reset":  # then `resume` from there
            changes = changes_after(conversation, mine)
            missed.add(conversation)
        elif kind == "error":  # the `resume` was refused: start over with another socket
            raise ConnectionError(frame["detail"])
        elif frame.get("prev") == mine and kind != "conversation.created":
            changes = [frame]
        elif frame.get("position", 0) > mine and conversation not in resuming:
            missed.add(conversation)  # a gap or a new conversation: resume from our position; this frame comes again
        for change in changes:
            positions[conversation] = change["position"]
            if change["type"].startswith("message."):
                print(change["type"], change["data"]["seq"], change["data"]["text"], flush=True)
        if missed and not resuming and not frame.get("next"):
            resuming = set(itertools.islice(missed, 2_000))  # as many as always fit into a frame
            missed -= resuming
            stands = {one: positions.get(one, 0) for one in resuming}
            socket.send(json.dumps({"type": "resume", "conversations": stands}))


def renewed(pair):
    try:
        return call("/refresh/", {"refresh": pair["refresh"]})
    except HTTPError as error:
        if error.code != 401:  # anything else is no answer: the refresh token is still good
            raise
        return call("/login/", LOGIN)


code, pause = None, 0.5
try:
    pair = call("/login/", LOGIN)
except (OSError, ValueError) as error:  # a wrong password, no server, or no URL
    sys.exit(f"{LOGIN['email']} could not log in at {BASE}: {error}")
while code not in (400, 403, 4400, 4403):  # refused for good
    began = time.monotonic()
    try:
        if code in (401, 4401):
            pair = renewed(pair)
        headers["Authorization"] = f"Bearer {pair['access']}"
        with connect(BASE.replace("http", "ws", 1) + "/ws/conversations", additional_headers=headers) as socket:
            code = listen(socket)
    except (OSError, WebSocketException) as error:
        code = error.rcvd.code if getattr(error, "rcvd", None) else getattr(error, "status", None)
    pause = 0.5 if time.monotonic() - began > (1 if code == 1012 else 10) else min(2 * pause, 30)
    time.sleep(pause * random.uniform(0.5, 1.5))
sys.exit(f"The server refused the login: {code}")
