"""Books a night and finds it again, over HTTP, in the container it runs in."""

import json
from urllib.request import Request, urlopen

URL = "http://127.0.0.1:8000"
NIGHT = {"room": "smoke", "guest": "smoke", "arrives": "2000-01-01", "leaves": "2000-01-02"}


def ask(path, body=None):
    data = json.dumps(body).encode() if body else None
    with urlopen(Request(URL + path, data, {"content-type": "application/json"}), timeout=5) as answer:
        return json.load(answer)


if __name__ == "__main__":
    booked = ask("/bookings", NIGHT)["id"]
    if str(booked) not in [booking["id"] for booking in ask("/rooms/smoke/bookings")]:
        raise SystemExit("what was booked is not found")
