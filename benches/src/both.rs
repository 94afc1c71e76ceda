//! Two contenders by both clocks: the one on the wall, which waits for servers, and that of the processor, which counts this
//! process alone.

use std::future::Future;
use std::time::{Duration, Instant};

use crate::{Clock, median};

/// Medians by both clocks.
#[derive(Clone, Copy, Debug)]
pub struct Both {
    /// By the wall: ours, the other's.
    pub wall: (Duration, Duration),
    /// This process's time: ours, the other's.
    pub own: (Duration, Duration),
}

/// As [`versus`](crate::versus), by both clocks. What either gives is handed back, so that nobody measures an error.
///
/// # Errors
/// The first of either.
pub async fn beside<A, B, FA, FB, T, U, E>(rounds: usize, mut ours: A, mut raw: B) -> Result<Both, E>
where
    A: FnMut() -> FA,
    B: FnMut() -> FB,
    FA: Future<Output = Result<T, E>>,
    FB: Future<Output = Result<U, E>>,
{
    let mut times: [(Vec<Duration>, Vec<Duration>); 2] = Default::default();
    for round in 0..rounds + 2 {
        for turn in 0..2 {
            let (wall, own) = (Instant::now(), Clock::now());
            let is_ours = (turn == 0) == (round % 2 == 0);
            if is_ours {
                std::hint::black_box(ours().await?);
            } else {
                std::hint::black_box(raw().await?);
            }
            // The first two rounds warm up.
            if round >= 2 {
                let (walls, owns) = &mut times[usize::from(!is_ours)];
                walls.push(wall.elapsed());
                owns.push(own.elapsed());
            }
        }
    }
    let [(wall, own), (raw_wall, raw_own)] = times.map(|(wall, own)| (median(wall), median(own)));
    Ok(Both { wall: (wall, raw_wall), own: (own, raw_own) })
}

impl Both {
    /// Prints one line: what, both times by the wall for each of `per`, and both ratios.
    #[allow(clippy::print_stdout)]
    pub fn report(&self, case: &str, per: usize) {
        let each = |d: Duration| d.as_secs_f64() * 1e6 / per.max(1) as f64;
        let ratio = |(ours, raw): (Duration, Duration)| ours.as_secs_f64() / raw.as_secs_f64();
        let (ours, raw) = self.wall;
        println!(
            "  {case:<52} ours {:>10.2} µs  raw {:>10.2} µs  ratio {:.3}  speed {:.3}  own time {:.3}",
            each(ours),
            each(raw),
            ratio(self.wall),
            1.0 / ratio(self.wall),
            ratio(self.own),
        );
    }
}
