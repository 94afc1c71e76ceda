//! The merge of sorted ids: ids of both sides a second, in memory, in pages as drivers give them.
//!
//! `cargo bench -p heavenbase-benches --bench merge`
#![allow(clippy::print_stdout, missing_docs)]

use std::cmp::Ordering;
use std::time::{Duration, Instant};

use heavenbase::exec::common_ids;
use heavenbase::types::Id;
use heavenbase_benches::Random;

/// Ids a page: what the executor merges at a time.
const PAGE: usize = 8192;
const PAGES: usize = 64;

/// Two sorted lists of which about `share` is in both.
fn sides(name: fn(u64, &mut Random) -> String, share: f64) -> (Vec<Id>, Vec<Id>) {
    let mut random = Random(7);
    let (mut a, mut b) = (Vec::new(), Vec::new());
    for n in 0.. {
        let id = name(n, &mut random);
        let chance = random.unit();
        if chance < (1.0 + share) / 2.0 && a.len() < PAGE * PAGES {
            a.push(id.clone());
        }
        if chance > (1.0 - share) / 2.0 && b.len() < PAGE * PAGES {
            b.push(id);
        }
        if a.len() + b.len() == 2 * PAGE * PAGES {
            break;
        }
    }
    let sorted = |mut names: Vec<String>| {
        names.sort_unstable();
        names.into_iter().map(Id::from).collect()
    };
    (sorted(a), sorted(b))
}

/// As one writes it down first: compares whole ids, one step at a time.
fn plain(a: &[Id], b: &[Id]) -> Vec<usize> {
    let (mut i, mut j, mut found) = (0, 0, Vec::new());
    while i < a.len() && j < b.len() {
        let order = a[i].cmp(&b[j]);
        if order == Ordering::Equal {
            found.push(i);
        }
        i += usize::from(order.is_le());
        j += usize::from(order.is_ge());
    }
    found
}

/// Pages come one after the other, each made just before it is merged, as from a driver; only the merge is timed.
fn paged(a: &[Id], b: &[Id], merge: fn(&[Id], &[Id]) -> Vec<usize>) -> (Duration, usize) {
    let (mut time, mut found, mut from) = (Duration::ZERO, 0, 0);
    for page in a.chunks(PAGE) {
        let Some(last) = page.last() else { continue };
        let to = from + b[from..].partition_point(|id| id <= last);
        let (mine, other) = (page.to_vec(), b[from..to].to_vec());
        from = to;
        let started = Instant::now();
        found += std::hint::black_box(merge(&mine, &other)).len();
        time += started.elapsed();
    }
    (time, found)
}

fn main() {
    let shapes: [(&str, fn(u64, &mut Random) -> String); 3] = [
        ("random, 25 bytes", |n, random| format!("{:016x}-{n:08}", random.bits())),
        ("UUIDv7, 36 bytes", |n, random| {
            let (time, rest) = (1_700_000_000_000 + n / 4, random.bits());
            format!("{:08x}-{:04x}-7{:03x}-{:04x}-{:012x}", time >> 16, time & 0xffff, rest & 0xfff, rest >> 48, rest & 0xffff_ffff_ffff)
        }),
        ("numbered, 17 bytes", |n, _| format!("item-{n:012}")),
    ];
    println!("merge of two sides of {} ids, in pages of {PAGE}; millions of ids of both sides a second, best of 15", PAGE * PAGES);
    for (name, shape) in shapes {
        for share in [0.01, 0.5] {
            let (a, b) = sides(shape, share);
            let ids = (a.len() + b.len()) as f64;
            let mut best = [Duration::MAX; 2];
            for _ in 0..15 {
                let (ours, found) = paged(&a, &b, common_ids);
                let (simple, expected) = paged(&a, &b, plain);
                assert_eq!(found, expected);
                best = [best[0].min(ours), best[1].min(simple)];
            }
            let [ours, simple] = best.map(|time| ids / time.as_secs_f64() / 1e6);
            println!(
                "  {name:<20} {:>3.0}% in both   {ours:>7.1} M ids/s   plain {simple:>7.1}   ratio {:.2}",
                share * 100.0,
                ours / simple
            );
        }
    }
}
