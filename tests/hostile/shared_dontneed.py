# Touches memory that is shared without a file and lets go of it: it stays, and is in nobody's page table.
import mmap

kept = []
while True:
    memory = mmap.mmap(-1, 4 << 20)
    for at in range(0, 4 << 20, 4096):
        memory[at] = 1
    memory.madvise(mmap.MADV_DONTNEED)
    kept.append(memory)
