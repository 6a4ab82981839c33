#!/usr/bin/env python3
"""What ARCHITECTURE.md quotes of the code is there, line by line.

    python tests/backbones/documented.py     from anywhere
"""
import os
import re
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
BLOCK = re.compile(r"^ *```c\n *\/\* (\S+) \*\/\n(.*?)^ *```$", re.M | re.S)


def lines(text):
    return [line.strip() for line in text.splitlines() if line.strip()]


def main():
    with open(os.path.join(ROOT, "ARCHITECTURE.md"), encoding="utf-8") as f:
        blocks = BLOCK.findall(f.read())
    missing = 0
    for path, quoted in blocks:
        with open(os.path.join(ROOT, path), encoding="utf-8") as f:
            code = "\n".join(lines(f.read()))
        if "\n".join(lines(quoted)) not in code:
            missing += 1
            print(f"ARCHITECTURE.md quotes {path} as it is not:\n{quoted}", file=sys.stderr)
    if len(blocks) < 6:
        print(f"only {len(blocks)} quotations found", file=sys.stderr)
    return int(missing > 0 or len(blocks) < 6)


sys.exit(main())
