"""Reads statements, one a line, each as a JSON string; says of each `ok`, or `no` and what sqlfluff has against it.

More than one statement in a line is `no` too. The argument names the dialect.
"""

import json
import multiprocessing
import sys

from sqlfluff.core import FluffConfig, Linter

# Statements are no templates: braces in them mean nothing.
LINTER = Linter(config=FluffConfig(overrides={"dialect": sys.argv[1], "templater": "raw", "large_file_skip_byte_limit": 0}))


def verdict(line):
    parsed = LINTER.parse_string(json.loads(line))
    faults = [fault.desc() for fault in parsed.violations]
    try:
        tree = parsed.tree
    except AssertionError:
        # What could not even be taken apart into words has no tree.
        tree = None
    if tree is None or next(tree.recursive_crawl("unparsable"), None) is not None:
        faults.append("unparsable")
    statements = len(list(tree.get_children("statement"))) if tree is not None else 0
    if statements != 1:
        faults.append(f"{statements} statements")
    return "ok" if not faults else "no: " + faults[0].replace("\n", " ").replace("\r", " ")


def main():
    lines = sys.stdin.read().split("\n")
    lines = [line for line in lines if line]
    if len(lines) < 64:
        for line in lines:
            print(verdict(line))
        return
    with multiprocessing.Pool(min(4, multiprocessing.cpu_count())) as pool:
        for answer in pool.imap(verdict, lines, chunksize=16):
            print(answer)


if __name__ == "__main__":
    main()
