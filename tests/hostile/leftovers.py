# Leaves behind what lives without a process: System V's memory, messages and semaphores, POSIX's queues, a memory file.
import ctypes

libc = ctypes.CDLL(None, use_errno=True)
for name, call in (("shmget", (29, 77, 4096, 0o1666)), ("semget", (64, 77, 1, 0o1666)),
                   ("msgget", (68, 77, 0o1666)), ("mq_open", (240, b"left", 0o102, 0o666, None)),
                   ("memfd_create", (319, b"left", 0)), ("memfd_secret", (447, 0))):
    if libc.syscall(*call) >= 0:
        print("LEFT", name)
print(4)
