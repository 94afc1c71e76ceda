use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Versions of rows: microseconds since 1970 with 12 low bits to tell apart what falls into one of them. Grows with
/// every write of this process, and past every version that it has seen, so that the last writer wins also after a
/// clock went back.
pub(super) struct Clock {
    last: AtomicI64,
    /// Low bits that differ from process to process, so that two of them rarely choose the same version.
    salt: i64,
}

impl Clock {
    pub(super) fn new() -> Self {
        let random = uuid::Uuid::now_v7().as_u128();
        Clock { last: AtomicI64::new(0), salt: (random & 0xfff) as i64 }
    }

    /// A version greater than all before.
    pub(super) fn next(&self) -> i64 {
        let micros = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_micros() as i64);
        let now = (micros << 12) | self.salt;
        let step = |last: i64| Some(now.max(last + 1));
        let before = self.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, step).unwrap_or_default();
        now.max(before + 1)
    }

    /// Takes note of a version that somebody else wrote.
    pub(super) fn seen(&self, version: i64) {
        self.last.fetch_max(version, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::Clock;

    #[test]
    fn versions_grow_also_past_what_was_seen() {
        let clock = Clock::new();
        let first = clock.next();
        assert!(clock.next() > first);
        clock.seen(first + (1 << 40));
        assert!(clock.next() > first + (1 << 40));
    }
}
