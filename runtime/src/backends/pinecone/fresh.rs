//! What was written here and may not be readable yet, namespace by namespace.

use std::collections::HashMap;

use parking_lot::Mutex;

/// A namespace: the index's name and its own.
pub(super) type Place = (String, String);

/// What says that a namespace's last write is readable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// A read says that it has seen this write, or a later one, in its log.
    Log(u64),
    /// The service gave no number: this record has this version, or is not there.
    Record { key: String, version: Option<String> },
}

/// The writes that were not seen yet.
#[derive(Debug, Default)]
pub(super) struct Unseen(Mutex<HashMap<Place, Sign>>);

impl Unseen {
    /// Notes a write.
    pub(super) fn note(&self, place: &Place, sign: Sign) {
        let mut unseen = self.0.lock();
        match (unseen.get_mut(place), sign) {
            (Some(Sign::Log(there)), Sign::Log(log)) => *there = log.max(*there),
            (_, sign) => drop(unseen.insert(place.clone(), sign)),
        }
    }

    /// What to wait for.
    pub(super) fn of(&self, place: &Place) -> Option<Sign> {
        self.0.lock().get(place).cloned()
    }

    /// Notes that a sign was seen; a later write still waits for its own.
    pub(super) fn seen(&self, place: &Place, sign: &Sign) {
        let mut unseen = self.0.lock();
        if unseen.get(place) == Some(sign) {
            unseen.remove(place);
        }
    }

    /// Forgets a namespace.
    pub(super) fn forget(&self, place: &Place) {
        self.0.lock().remove(place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_write_is_waited_for() {
        let unseen = Unseen::default();
        let place = ("index".to_owned(), "space".to_owned());
        unseen.note(&place, Sign::Log(7));
        unseen.note(&place, Sign::Log(5));
        assert_eq!(unseen.of(&place), Some(Sign::Log(7)));
        unseen.note(&place, Sign::Log(9));
        unseen.seen(&place, &Sign::Log(7));
        assert_eq!(unseen.of(&place), Some(Sign::Log(9)));
        unseen.seen(&place, &Sign::Log(9));
        assert_eq!(unseen.of(&place), None);
    }
}
