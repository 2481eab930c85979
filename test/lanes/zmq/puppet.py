"""A ZeroMQ socket on strings: takes one JSON command per line, answers one JSON line each.

  {"open": "SUB", "bind": URL | "connect": URL, "options": {NAME: value}}  -> {"endpoint": URL}
  {"send": [hex, ...]}                                                     -> {}
  {"receive": milliseconds}                             -> {"frames": [hex, ...] | null}
  {"subscribe": text} | {"unsubscribe": text} | {"close": true}            -> {}
"""

import json
import sys

import zmq

context = zmq.Context()
socket = None
for line in sys.stdin:
    command = json.loads(line)
    answer = {}
    if "open" in command:
        socket = context.socket(getattr(zmq, command["open"]))
        socket.setsockopt(zmq.LINGER, 0)
        for name, value in command.get("options", {}).items():
            socket.setsockopt(getattr(zmq, name), value)
        if "bind" in command:
            socket.bind(command["bind"])
        else:
            socket.connect(command["connect"])
        answer["endpoint"] = socket.getsockopt_string(zmq.LAST_ENDPOINT)
    elif "send" in command:
        socket.send_multipart([bytes.fromhex(frame) for frame in command["send"]])
    elif "receive" in command:
        ready = socket.poll(command["receive"])
        answer["frames"] = [frame.hex() for frame in socket.recv_multipart()] if ready else None
    elif "subscribe" in command:
        socket.setsockopt_string(zmq.SUBSCRIBE, command["subscribe"])
    elif "unsubscribe" in command:
        socket.setsockopt_string(zmq.UNSUBSCRIBE, command["unsubscribe"])
    elif "close" in command:
        socket.close()
    print(json.dumps(answer), flush=True)
