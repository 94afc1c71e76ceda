#!/usr/bin/env python3
"""What an entity costs to compile: generates crates of 0, 100, 200 and 400 entities of ten fields, and measures `cargo check`
and `cargo build` of each, dependencies apart.

usage: benches/compile/measure.py [--target DIR] [--rounds N] [--entities 100,200,400]

Prints seconds of the processor (cargo and rustc, the user's and the system's; steadier than the clock on a busy machine),
best of the rounds, the milliseconds an entity that lie beyond the empty crate, and the most memory that a process took.
Each entity derives `Clone`, `Debug` and `PartialEq` too, and has a query with a filter, a search and an order, so that
what is written with it is in the figure. Macros are compiled as cargo does it unasked: without optimisation.

The figures are those of the machine and of what else runs there: between two revisions measure both, one after the other.
With `valgrind` installed, `--count` counts the instructions of one `cargo check` instead, which nothing disturbs.
"""

import argparse
import os
import pathlib
import re
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]

HEAD = """use heavenbase::prelude::*;

#[derive(Layout)]
pub struct Shop {
    #[layout(default)]
    main: Sqlite,
    memory: InMem,
}
"""

ENTITY = """
#[derive(Clone, Debug, PartialEq, Entity)]
#[entity(layout = Shop)]
pub struct Entity%(n)d {
    object_id: Id,
    #[store(to = "main", index)]
    #[text(max = 255)]
    title: String,
    #[store(to = "main")]
    price: f64,
    #[store(to = "main")]
    stock: Option<i64>,
    #[store(to = "main")]
    sold: bool,
    #[store(to = "main")]
    added: Timestamp,
    #[store(to = "main")]
    tags: Vec<String>,
    #[store(to = "main", as = InvertedIndex)]
    #[store(to = "memory", copy)]
    body: String,
    #[store(to = "memory")]
    payload: Json,
    #[store(to = "memory", metric = "cosine")]
    embedding: Option<Vector<8>>,
}

pub fn use%(n)d() -> Query<Entity%(n)d> {
    Query::new()
        .filter(Entity%(n)d::PRICE.lt(150.0) & Entity%(n)d::TAGS.has("office"))
        .near(Entity%(n)d::EMBEDDING, &[0.0; 8], 10)
        .order_by(Entity%(n)d::TITLE.asc())
}
"""


def write(folder: pathlib.Path, entities: int) -> None:
    (folder / "src").mkdir(parents=True, exist_ok=True)
    (folder / "Cargo.toml").write_text(
        '[package]\nname = "compile-bench"\nversion = "0.0.0"\nedition = "2024"\npublish = false\n\n'
        f'[dependencies]\nheavenbase = {{ path = "{ROOT / "runtime"}" }}\n\n[profile.dev]\ndebug = 0\n\n[workspace]\n'
    )
    shutil.copy(ROOT / "Cargo.lock", folder / "Cargo.lock")
    (folder / "src" / "lib.rs").write_text(HEAD + "".join(ENTITY % {"n": n} for n in range(entities)))


def environment(target: str) -> dict[str, str]:
    return {**os.environ, "CARGO_TARGET_DIR": target, "CARGO_INCREMENTAL": "0"}


def run(folder: pathlib.Path, command: str, target: str) -> tuple[float, float]:
    """Seconds of the processor and megabytes."""
    (folder / "src" / "lib.rs").touch()
    process = subprocess.Popen(["cargo", command, "--offline", "--quiet"], cwd=folder, env=environment(target))
    _, status, used = os.wait4(process.pid, 0)
    if status != 0:
        raise SystemExit(f"cargo {command} failed")
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def count(folder: pathlib.Path, target: str) -> int:
    """Instructions of rustc in one `cargo check`, by valgrind."""
    (folder / "src" / "lib.rs").touch()
    wrapper = folder / "counted"
    # Only the crate itself runs under valgrind; what cargo asks rustc besides does not.
    wrapper.write_text(
        '#!/bin/sh\nrustc=$1; shift\ncase " $* " in *" compile_bench "*) ;; *) exec "$rustc" "$@";; esac\n'
        'exec valgrind --tool=cachegrind --cache-sim=no --cachegrind-out-file=/dev/null --log-file="$COUNTED" "$rustc" "$@"\n'
    )
    wrapper.chmod(0o755)
    log = folder / "counted.log"
    rustc = subprocess.run(["rustup", "which", "rustc"], check=True, capture_output=True, text=True).stdout.strip()
    library = pathlib.Path(rustc).parents[1] / "lib"
    own = {"RUSTC": rustc, "RUSTC_WRAPPER": str(wrapper), "LD_LIBRARY_PATH": str(library), "COUNTED": str(log)}
    subprocess.run(["cargo", "check", "--offline", "--quiet"], cwd=folder, env={**environment(target), **own}, check=True)
    return int(re.findall(r"I\s+refs:\s+([\d,]+)", log.read_text())[0].replace(",", ""))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--target", default=str(ROOT / "target" / "compile-bench"))
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--entities", default="100,200,400")
    arguments.add_argument("--count", action="store_true", help="instructions of `cargo check`, over 20 entities")
    given = arguments.parse_args()
    folder = pathlib.Path(given.target) / "crate"
    if given.count:
        counts = []
        for entities in (0, 20):
            write(folder, entities)
            counts.append(count(folder, given.target))
        print(f"cargo check: {(counts[1] - counts[0]) / 20e6:.1f} million instructions an entity")
        return
    for command, goal in (("check", 10), ("build", 25)):
        empty = 0.0
        for entities in [0, *map(int, given.entities.split(","))]:
            write(folder, entities)
            if entities == 0:
                run(folder, command, given.target)  # the dependencies
            rounds = [run(folder, command, given.target) for _ in range(given.rounds)]
            cpu, memory = min(r[0] for r in rounds), max(r[1] for r in rounds)
            if entities == 0:
                empty = cpu
                print(f"cargo {command}: empty crate {cpu:.2f} s")
                continue
            print(
                f"cargo {command}: {entities} entities {cpu:.2f} s, {1000 * (cpu - empty) / entities:.1f} ms an entity (goal {goal}), "
                f"{memory:.0f} MB at most",
                flush=True,
            )


if __name__ == "__main__":
    main()
