"""Which partition a key belongs to, for a batch of keys at once.

The rule is that of Kafka's own producers (murmur2 of the key, without its sign, modulo the partitions), so that
records of other programs under the same key land in the same place. The library's version costs 20 µs for a key of
80 bytes, a quarter of writing the record; this one counts all keys of a batch together.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

# Constants of murmur2 as in org.apache.kafka.common.utils.Utils.murmur2.
_SEED = 0x9747B28C
_MIX = np.uint32(0x5BD1E995)
_WORD = 4


def partitions_of(keys: Sequence[bytes], count: int) -> list[int]:
    """The partition number, 0 to `count` - 1, of each key."""
    if count == 1 or not keys:
        return [0] * len(keys)
    numbers: list[int] = ((murmur2(keys) & np.uint32(0x7FFFFFFF)) % np.uint32(count)).tolist()
    return numbers


def murmur2(keys: Sequence[bytes]) -> npt.NDArray[np.uint32]:
    """The murmur2 hash of each key."""
    lengths = np.array([len(key) for key in keys], dtype=np.uint32)
    width = (int(lengths.max()) // _WORD + 1) * _WORD
    padded = b"".join([key.ljust(width, b"\0") for key in keys])
    words = np.frombuffer(padded, dtype="<u4").reshape(len(keys), width // _WORD).T
    whole = lengths // _WORD

    hashed = np.uint32(_SEED) ^ lengths
    for index in range(int(whole.max())):
        word = words[index] * _MIX
        word ^= word >> np.uint32(24)
        word *= _MIX
        hashed = np.where(index < whole, (hashed * _MIX) ^ word, hashed)

    # The padding is zeros, so the word after the whole ones holds just the bytes left over.
    rest = words[whole, np.arange(len(keys))]
    hashed = np.where(lengths % _WORD != 0, (hashed ^ rest) * _MIX, hashed)
    hashed ^= hashed >> np.uint32(13)
    hashed *= _MIX
    hashed ^= hashed >> np.uint32(15)
    return hashed.astype(np.uint32, copy=False)
