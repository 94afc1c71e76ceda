//! Deadlines and pauses. What a caller or a server says of time may be more than a clock can count.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// As good as never.
const FAR: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

/// When so much time will have passed; in some decades where that is beyond what the clock counts.
pub(crate) fn deadline_after(time: Duration) -> Instant {
    let now = Instant::now();
    // A clock that cannot count some decades is at its end: then that is now.
    now.checked_add(time.min(FAR)).unwrap_or(now)
}

/// A pause of one's own, half of it left to chance, so that many clients do not return together.
pub(crate) fn jittered(pause: Duration) -> Duration {
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.subsec_nanos());
    pause / 2 + (pause / 2).mul_f64(f64::from(nanos % 1_000) / 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_time_is_too_long() {
        let soon = deadline_after(Duration::from_secs(60));
        assert!(soon > Instant::now() && soon <= Instant::now() + Duration::from_secs(60));
        for long in [Duration::MAX, Duration::from_secs(u64::MAX), Duration::from_secs(i64::MAX.unsigned_abs())] {
            assert!(deadline_after(long) > Instant::now() + FAR / 2);
            assert!((long / 2..=long).contains(&jittered(long)));
        }
        let pause = Duration::from_millis(50);
        assert!((pause / 2..=pause).contains(&jittered(pause)));
        assert_eq!(jittered(Duration::ZERO), Duration::ZERO);
    }
}
