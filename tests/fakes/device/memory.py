"""Device memory of the double: blocks, the pools that keep them, and who is using them.

CuPy's pool takes a block back as soon as the last array on it is gone, and hands it out again. A
captured graph knows nothing of that: it goes on reading and writing the addresses it was recorded
with. So every block here counts how often it was handed out, and `Graph.launch` compares.

Unlike CuPy's, the free lists are not separate for each stream: memory changes hands sooner here.
Memory nobody has written, fresh or taken back, is filled with 0xff bytes: NaN in every float type.
"""

import bisect
import collections
import contextlib
import threading
import weakref

import numpy as np

from . import ledger, streams

_UNIT = 512  # bytes: CuPy rounds every allocation up to this
_POISON = 0xFF


class Block:
    """A piece of device memory of a fixed size, which a pool hands out again and again."""

    def __init__(self, size, pool):
        room = np.empty(size + _UNIT, np.uint8)  # cudaMalloc's addresses are multiples of 512
        start = -room.ctypes.data % _UNIT
        self.buffer = room[start : start + size]
        self.pool = weakref.ref(pool)
        self.device = streams.getDevice()
        self.serial = 0  # how often it was handed out
        self.in_use = self.gone = False
        self.tenant = None  # a weak reference to its last Allocation
        self.used, self.stream = {}, None  # by whom and when, see order.py; where it was handed out
        _placed[self.buffer.ctypes.data] = self

    def poison(self):
        self.buffer.fill(_POISON)


class Allocation:
    """One handing out of a block. All arrays on it hold it, and when it dies the block is free."""

    def __init__(self, block):
        self.block = block
        block.serial += 1
        self.serial = block.serial
        block.in_use, block.tenant = True, weakref.ref(self)
        block.poison()
        stream = streams.get_current_stream()
        if block.stream is not stream:
            block.used = {}  # CuPy's free lists are the streams' own: it had been another block
        block.stream = stream
        streams.allocated(self)

    def __del__(self):
        block = self.block
        block.in_use = False
        block.poison()
        pool = block.pool()
        if pool is None:
            block.gone = True
        else:
            pool._free[block.device, block.buffer.nbytes].append(block)


_placed = weakref.WeakValueDictionary()  # address -> Block


def behind(addresses):
    """The allocations that numbers point into: raw addresses that a kernel is given in a struct.

    Numbers that are no addresses of device memory are left out; one that points to memory that
    nobody holds any more raises ValueError.
    """
    starts = sorted(_placed)
    found = []
    for address in addresses:
        place = bisect.bisect_right(starts, address) - 1
        block = _placed.get(starts[place]) if place >= 0 else None
        if block is None or address >= starts[place] + block.buffer.nbytes:
            continue
        if not block.in_use:
            raise ValueError(f"address {address:#x} is that of an array which has died")
        found.append(block.tenant())
    return found


class MemoryPointer:
    """An address inside an allocation; ``pointer + 512`` is one further on."""

    def __init__(self, mem, offset=0):
        self.mem, self._offset = mem, offset
        self.device_id = mem.block.device

    ptr = property(lambda self: self.mem.block.buffer.ctypes.data + self._offset)

    def __add__(self, offset):
        return MemoryPointer(self.mem, self._offset + offset)


class MemoryPool:
    """Blocks in use and free ones, by size."""

    def __init__(self, allocator=None):
        if allocator is not None:
            raise NotImplementedError("the device double knows pools of ordinary memory only")
        self._blocks = []
        self._free = collections.defaultdict(list)  # (device, size) -> blocks

    def malloc(self, size):
        """A pointer to at least `size` bytes, in a block that was free or a new one."""
        size = max(1, -(-size // _UNIT)) * _UNIT
        ledger.count("allocations")
        free = self._free[streams.getDevice(), size]
        if not free:
            block = Block(size, self)
            self._blocks.append(block)
            return MemoryPointer(Allocation(block))
        return MemoryPointer(Allocation(free.pop()))

    def free_all_blocks(self, stream=None):
        """Give the free blocks back to the driver."""
        for blocks in self._free.values():
            for block in blocks:
                block.gone = True
        self._free.clear()
        self._blocks = [block for block in self._blocks if not block.gone]

    def total_bytes(self):
        return sum(block.buffer.nbytes for block in self._blocks)

    def used_bytes(self):
        return sum(block.buffer.nbytes for block in self._blocks if block.in_use)

    def free_bytes(self):
        return self.total_bytes() - self.used_bytes()

    def n_free_blocks(self):
        return sum(map(len, self._free.values()))


class _Allocators(threading.local):  # as in CuPy: `using_allocator` holds for one thread
    def __init__(self):
        self.stack = []


default_pool = MemoryPool()
_common = [default_pool.malloc]  # what set_allocator chose
_own = _Allocators()


def alloc(size):
    """Memory from the allocator in force."""
    return get_allocator()(size)


def get_allocator():
    return _own.stack[-1] if _own.stack else _common[0]


def set_allocator(allocator=None):
    if _own.stack:
        raise ValueError("set_allocator inside using_allocator: CuPy refuses it")
    _common[0] = default_pool.malloc if allocator is None else allocator


@contextlib.contextmanager
def using_allocator(allocator=None):
    _own.stack.append(default_pool.malloc if allocator is None else allocator)
    try:
        yield
    finally:
        _own.stack.pop()


def reset():
    """A new default pool: whatever still uses the old one keeps its memory."""
    global default_pool
    default_pool = MemoryPool()
    _common[0] = default_pool.malloc
