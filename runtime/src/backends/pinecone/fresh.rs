//! What was written here and may not be readable yet, namespace by namespace.

use std::collections::HashMap;
use std::time::Instant;

use parking_lot::Mutex;

/// A namespace: the index's name and its own.
pub(super) type Place = (String, String);

/// What says that a write is readable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// A read says that it has seen this write, or a later one, in its log.
    Log(u64),
    /// The service gave no number: this record is as it was written.
    Record(Mark),
}

/// A record by which a write is recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) key: String,
    /// The version it was given; `None` where it was removed.
    pub(super) version: Option<String>,
}

impl Mark {
    /// Whether a record with this version (`None`: no record) is the one that was written, or a later one of another writer.
    pub(super) fn is(&self, stored: Option<&str>) -> bool {
        match (stored, self.version.as_deref()) {
            (Some(stored), Some(version)) => match (stored.parse::<i64>(), version.parse::<i64>()) {
                (Ok(stored), Ok(version)) => stored >= version,
                _ => stored >= version,
            },
            (None, None) => true,
            _ => false,
        }
    }
}

/// A write of which nobody knows whether it took place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Doubt {
    pub(super) mark: Mark,
    /// Until when it is looked for: it may never come.
    pub(super) until: Instant,
}

/// The writes of one namespace that were not seen yet.
#[derive(Debug, Default)]
struct Writes {
    known: Option<Sign>,
    doubtful: Option<Doubt>,
}

/// The writes that were not seen yet.
#[derive(Debug, Default)]
pub(super) struct Unseen(Mutex<HashMap<Place, Writes>>);

impl Unseen {
    /// Notes a write that took place. What was doubtful before it is readable with it, or never.
    pub(super) fn note(&self, place: &Place, sign: Sign) {
        let mut unseen = self.0.lock();
        let writes = unseen.entry(place.clone()).or_default();
        writes.doubtful = None;
        match (&mut writes.known, sign) {
            (Some(Sign::Log(there)), Sign::Log(log)) => *there = log.max(*there),
            (known, sign) => *known = Some(sign),
        }
    }

    /// Notes a write that may have taken place.
    pub(super) fn doubt(&self, place: &Place, doubt: Doubt) {
        self.0.lock().entry(place.clone()).or_default().doubtful = Some(doubt);
    }

    /// What is sure to come.
    pub(super) fn known(&self, place: &Place) -> Option<Sign> {
        self.0.lock().get(place)?.known.clone()
    }

    /// What may come.
    pub(super) fn doubtful(&self, place: &Place) -> Option<Doubt> {
        self.0.lock().get(place)?.doubtful.clone()
    }

    /// Notes that a sign was seen; a later write still waits for its own.
    pub(super) fn seen(&self, place: &Place, sign: &Sign) {
        self.settled(place, |writes| writes.known.take_if(|known| known == sign).is_some());
    }

    /// Notes that a doubtful write was seen, or is not looked for any more.
    pub(super) fn decided(&self, place: &Place, doubt: &Doubt) {
        self.settled(place, |writes| writes.doubtful.take_if(|there| there == doubt).is_some());
    }

    fn settled(&self, place: &Place, settle: impl FnOnce(&mut Writes) -> bool) {
        let mut unseen = self.0.lock();
        if let Some(writes) = unseen.get_mut(place)
            && settle(writes)
            && writes.known.is_none()
            && writes.doubtful.is_none()
        {
            unseen.remove(place);
        }
    }

    /// Forgets all of an index.
    pub(super) fn forget_index(&self, index: &str) {
        self.0.lock().retain(|place, _| place.0 != index);
    }

    /// Forgets a namespace.
    pub(super) fn forget(&self, place: &Place) {
        self.0.lock().remove(place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        ("index".to_owned(), "space".to_owned())
    }

    fn mark(version: Option<&str>) -> Mark {
        Mark { key: "key".to_owned(), version: version.map(str::to_owned) }
    }

    #[test]
    fn the_last_write_is_waited_for() {
        let (unseen, place) = (Unseen::default(), place());
        unseen.note(&place, Sign::Log(7));
        unseen.note(&place, Sign::Log(5));
        assert_eq!(unseen.known(&place), Some(Sign::Log(7)));
        unseen.note(&place, Sign::Log(9));
        unseen.seen(&place, &Sign::Log(7));
        assert_eq!(unseen.known(&place), Some(Sign::Log(9)));
        unseen.seen(&place, &Sign::Log(9));
        assert_eq!(unseen.known(&place), None);
        assert!(unseen.0.lock().is_empty());
    }

    #[test]
    fn a_doubtful_write_stands_beside_what_is_known_until_a_later_one_is() {
        let (unseen, place) = (Unseen::default(), place());
        let doubt = Doubt { mark: mark(Some("4")), until: Instant::now() };
        unseen.note(&place, Sign::Log(3));
        unseen.doubt(&place, doubt.clone());
        assert_eq!((unseen.known(&place), unseen.doubtful(&place)), (Some(Sign::Log(3)), Some(doubt.clone())));
        unseen.seen(&place, &Sign::Log(3));
        assert_eq!((unseen.known(&place), unseen.doubtful(&place)), (None, Some(doubt.clone())));
        unseen.decided(&place, &doubt);
        assert!(unseen.0.lock().is_empty());
        unseen.doubt(&place, doubt);
        unseen.note(&place, Sign::Log(4));
        assert_eq!((unseen.known(&place), unseen.doubtful(&place)), (Some(Sign::Log(4)), None));
    }

    #[test]
    fn a_later_version_shows_an_earlier_write() {
        for (version, stored, is) in [
            (Some("9"), Some("9"), true),
            (Some("9"), Some("10"), true),
            (Some("10"), Some("9"), false),
            (Some("9"), None, false),
            (None, None, true),
            (None, Some("9"), false),
            (Some("0197aa-b"), Some("0197aa-b"), true),
            (Some("0197aa-b"), Some("0197aa-c"), true),
            (Some("0197aa-b"), Some("0197aa-a"), false),
        ] {
            assert_eq!(mark(version).is(stored), is, "{version:?} {stored:?}");
        }
    }
}
