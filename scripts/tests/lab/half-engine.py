#!/usr/bin/env python3
"""An engine on a socket of its own that does not answer as it should. Usage: half-engine.py SOCKET drips WORDS | silent PATH

drips: takes connections and says WORDS at once, a byte a second, and nothing more.
silent: hands everything on to the real engine, and never answers a request with PATH in its first line.
"""

import socket
import sys
import threading
import time

ENGINE = "/var/run/docker.sock"


def drip(connection, words):
    for byte in words:
        connection.sendall(bytes([byte]))
        time.sleep(1)
    while connection.recv(4096):
        pass


def copy(source, target):
    try:
        while piece := source.recv(65536):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def silent(connection, path):
    engine = socket.socket(socket.AF_UNIX)
    engine.connect(ENGINE)
    threading.Thread(target=copy, args=(engine, connection), daemon=True).start()
    while (piece := connection.recv(65536)) and path not in piece.split(b"\r\n")[0]:
        engine.sendall(piece)
    # As long as anybody waits.
    while connection.recv(65536):
        pass


def serve(answer, connection, words):
    try:
        answer(connection, words)
    except OSError:
        pass


def main():
    path, how, words = sys.argv[1:]
    answer = {"drips": drip, "silent": silent}[how]
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    server.listen(64)
    while True:
        threading.Thread(target=serve, args=(answer, server.accept()[0], words.encode()), daemon=True).start()


main()
