#!/usr/bin/env python3
"""Fails on an include that goes sideways or up between rooms, and on any circle of includes.

A folder under longhand/ is a room and stands on a floor; a file may include its own room and rooms on lower floors.
Run from anywhere; prints nothing and exits 0 when all is well.
"""
import pathlib
import re
import sys

FLOORS = {
    "base": 0,
    "kernels": 1, "autograd": 1, "data": 1, "io": 1,
    "nn": 2, "fetch": 2, "distributed": 2,
    "baselines": 3, "graph": 3,
    "tasks": 4, "convert": 4,
    "train": 5, "exporters": 5,
    "runs": 6, "serve": 6,
    "face": 7,  # the headers and sources in longhand/ itself: what programs use
    "lab": 7,
    "cli": 8,
}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)
UMBRELLA = "longhand/longhand.h"


def room_of(path):
    parts = pathlib.PurePosixPath(path).parts
    if parts[0] == "cli":
        return "cli"
    if path == "longhand/version.h":
        return "base"
    if parts[0] != "longhand":
        return None
    return parts[1] if len(parts) > 2 else "face"


def main(root):
    errors = []
    graph = {}
    files = [f for folder in ("longhand", "cli") for f in sorted((root / folder).rglob("*")) if f.suffix in (".h", ".cpp")]
    for file in files:
        name = file.relative_to(root).as_posix()
        if name == UMBRELLA:
            continue
        text = file.read_text(encoding="utf-8")
        room = room_of(name)
        if room not in FLOORS:
            errors.append(f"{name}: the room '{room}' has no floor; add it to FLOORS")
            continue
        graph[name] = []
        for match in INCLUDE.finditer(text):
            target = match.group(1)
            line = text.count("\n", 0, match.start()) + 1
            if target == UMBRELLA:
                errors.append(f"{name}:{line}: the umbrella header is for users; include what is needed")
                continue
            to = room_of(target)
            if to is None:
                errors.append(f"{name}:{line}: {target}: include project files as longhand/room/file.h, longhand/file.h or cli/file.h")
                continue
            if to not in FLOORS:
                errors.append(f"{name}:{line}: {target}: the room '{to}' has no floor")
                continue
            graph[name].append(target)
            if to != room and FLOORS[to] >= FLOORS[room]:
                way = "sideways" if FLOORS[to] == FLOORS[room] else "up"
                errors.append(f"{name}:{line}: {target}: goes {way} from {room} to {to}")

    done, path = set(), []

    def visit(name):
        if name in done or name not in graph:
            return
        if name in path:
            errors.append("circle: " + " -> ".join(path[path.index(name):] + [name]))
            return
        path.append(name)
        for target in graph[name]:
            # A kernel source includes itself once more for every SIMD target; that is no circle.
            if target != name:
                visit(target)
        path.pop()
        done.add(name)

    for name in sorted(graph):
        visit(name)
    for error in errors:
        print(error, file=sys.stderr)
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parent.parent))
