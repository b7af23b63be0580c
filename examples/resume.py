"""Prints each message of your conversations once, in order, even if servers fail: resume.py URL EMAIL PASSWORD"""

import json
import random
import sys
import time
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


def listen(socket):
    missed, resuming = set(), set()  # conversations to `resume`, and those with a `resume` in progress
    for frame in map(json.loads, socket):
        kind, conversation, changes = frame["type"], frame.get("conversation"), []
        mine = positions.get(conversation, 0)
        if kind in ("hello", "conversations"):
            missed |= {one["id"] for one in frame["conversations"] if one["position"] != positions.get(one["id"], 0)}
        elif kind in ("caught_up", "access.revoked"):
            resuming.difference_update(frame.get("positions", [conversation]))
        elif kind == "reset":  # more than `resume` can repair: read a page over REST, then resume from there
            changes = call(f"/conversations/{conversation}/changes/?after={mine}")["items"]
            resuming.discard(conversation)
            missed.add(conversation)
        elif frame.get("prev") == mine and kind != "conversation.created":
            changes = [frame]
        elif frame.get("position", 0) > mine:
            missed.add(conversation)  # a gap or a new conversation: resume from our position; this frame comes again
        for change in changes:
            positions[conversation] = change["position"]
            if change["type"].startswith("message."):
                print(change["type"], change["data"]["seq"], change["data"]["text"], flush=True)
        if not frame.get("next") and (missed := missed - resuming):
            socket.send(json.dumps({"type": "resume", "conversations": {one: positions.get(one, 0) for one in missed}}))
            resuming, missed = resuming | missed, set()


code, pause, began = None, 0.5, 0
try:
    pair = call("/login/", LOGIN)
except (OSError, ValueError) as error:  # a wrong password, no server, or no URL
    sys.exit(f"{LOGIN['email']} could not log in at {BASE}: {error}")
while code not in (400, 403, 4403):  # refused for good
    try:
        if code in (401, 4401):
            refresh, pair["refresh"] = pair["refresh"], None  # single use
            pair = call("/refresh/", {"refresh": refresh}) if refresh else call("/login/", LOGIN)
        headers["Authorization"], began = f"Bearer {pair['access']}", time.monotonic()
        with connect(BASE.replace("http", "ws", 1) + "/ws/conversations", additional_headers=headers) as socket:
            code = listen(socket)
    except (OSError, WebSocketException) as error:
        code = error.rcvd.code if getattr(error, "rcvd", None) else getattr(error, "status", None)
    pause = 0.5 if code in (1012, 4401) or time.monotonic() - began > 10 else min(2 * pause, 30)
    time.sleep(pause * random.uniform(0.5, 1.5))
sys.exit(f"The server refused the login: {code}")
