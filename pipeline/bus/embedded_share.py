"""Who should own which partition: a pure function, so that every member that looks comes to the same answer."""

from __future__ import annotations

from collections.abc import Mapping


def share(
    partitions: Mapping[int, str], owners: Mapping[int, str], members: Mapping[str, frozenset[str]]
) -> dict[int, str]:
    """The member that should own each partition.

    `partitions` maps a partition's id to its topic, `owners` to its present owner (absent: nobody), `members` each
    live member to the topics it reads. Sticky: a partition moves only away from a dead member, or from one that has
    at least two more than the one it goes to. Where all members read the same topics, no two shares differ by more
    than one. Taking or giving back one part of the answer does not change the rest of it.
    """
    target: dict[int, str] = {}
    load = dict.fromkeys(sorted(members), 0)
    for partition, topic in sorted(partitions.items()):
        owner = owners.get(partition)
        if owner is not None and topic in members.get(owner, ()):
            target[partition] = owner
            load[owner] += 1
    for partition, topic in sorted(partitions.items()):
        readers = [name for name in load if topic in members[name]]
        if partition not in target and readers:
            target[partition] = min(readers, key=load.__getitem__)
            load[target[partition]] += 1
    while (move := _move(partitions, target, load, members)) is not None:
        partition, to = move
        load[target[partition]] -= 1
        load[to] += 1
        target[partition] = to
    return target


def _move(
    partitions: Mapping[int, str],
    target: Mapping[int, str],
    load: Mapping[str, int],
    members: Mapping[str, frozenset[str]],
) -> tuple[int, str] | None:
    """The next move towards even shares: from the fullest that can give to the emptiest that can take."""
    for full in sorted(load, key=load.__getitem__, reverse=True):
        for empty in sorted(load, key=load.__getitem__):
            if load[full] - load[empty] < 2:
                break
            for partition in sorted(target, reverse=True):
                if target[partition] == full and partitions[partition] in members[empty]:
                    return partition, empty
    return None
