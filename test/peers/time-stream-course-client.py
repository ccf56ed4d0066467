"""The time client of the course: the local time, once a second, with nothing between two times."""
import socket
import sys
import time

peer = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
peer.connect(("127.0.0.1", int(sys.argv[1])))
while True:
    peer.send(time.strftime("%Y-%m-%d %H:%M:%S").encode("utf-8"))
    time.sleep(1)
