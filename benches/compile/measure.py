#!/usr/bin/env python3
"""What an entity costs to compile: generates crates of 0, 100 and 400 entities of ten fields, and times `cargo check` and
`cargo build` of each, dependencies apart.

usage: benches/compile/measure.py [--target DIR] [--rounds N] [--entities 100,400]

Prints CPU seconds of cargo and rustc (steadier than the clock on a busy machine) and the clock's, best of the rounds,
and from them milliseconds an entity beyond the empty crate. Each entity has an order, a filter, a search and a row read
back, so that its code is made and not only checked.
"""

import argparse
import os
import pathlib
import resource
import shutil
import subprocess
import time

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


def run(folder: pathlib.Path, command: str, target: str) -> tuple[float, float]:
    (folder / "src" / "lib.rs").touch()
    environment = {**os.environ, "CARGO_TARGET_DIR": target, "CARGO_INCREMENTAL": "0"}
    before, clock = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(["cargo", command, "--offline", "--quiet"], cwd=folder, env=environment, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu, time.monotonic() - clock


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--target", default=str(ROOT / "target" / "compile-bench"))
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--entities", default="100,400")
    given = arguments.parse_args()
    folder = pathlib.Path(given.target) / "crate"
    for command, goal in (("check", 10), ("build", 25)):
        empty = None
        for entities in [0, *map(int, given.entities.split(","))]:
            write(folder, entities)
            if entities == 0:
                run(folder, command, given.target)  # the dependencies
            rounds = [run(folder, command, given.target) for _ in range(given.rounds)]
            cpu, clock = min(r[0] for r in rounds), min(r[1] for r in rounds)
            if empty is None:
                empty = (cpu, clock)
                print(f"cargo {command}: empty crate {cpu:.2f} s of CPU, {clock:.2f} s by the clock")
                continue
            each = [1000 * (value - base) / entities for value, base in zip((cpu, clock), empty)]
            print(
                f"cargo {command}: {entities} entities of 10 fields {cpu:.2f} s of CPU, {clock:.2f} s by the clock: "
                f"{each[0]:.1f} ms of CPU an entity, {each[1]:.1f} ms by the clock (goal {goal})",
                flush=True,
            )


if __name__ == "__main__":
    main()
