# Reaches for anything that listens: abstract and named sockets, the machine itself, packets, the kernel.
import socket

for family, kind, address in ((socket.AF_UNIX, socket.SOCK_STREAM, b"\0assay_canary"),
                              (socket.AF_UNIX, socket.SOCK_DGRAM, "/run/systemd/notify"),
                              (socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 8000)),
                              (socket.AF_INET6, socket.SOCK_DGRAM, ("::1", 53)),
                              (socket.AF_NETLINK, socket.SOCK_RAW, (0, 0)),
                              (socket.AF_PACKET, socket.SOCK_RAW, ("lo", 3)),
                              (40, socket.SOCK_STREAM, (2, 1))):
    try:
        made = socket.socket(family, kind)
        print("SOCKET", family)
        made.connect(address)
        print("CONNECTED", family)
    except (OSError, OverflowError, TypeError):
        pass
print(4)
