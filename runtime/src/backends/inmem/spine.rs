//! A growing sequence of shared parts: cloning it copies a few pointers, changing a part copies that part only when a
//! snapshot still holds it.

use std::sync::Arc;

const PAGE: usize = 64;

#[derive(Clone, Debug)]
pub(super) struct Spine<T> {
    pages: Vec<Arc<Vec<Arc<T>>>>,
    len: usize,
}

impl<T> Default for Spine<T> {
    fn default() -> Self {
        Spine { pages: Vec::new(), len: 0 }
    }
}

impl<T: Clone> Spine<T> {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn get(&self, index: usize) -> &T {
        &self.pages[index / PAGE][index % PAGE]
    }

    pub(super) fn get_mut(&mut self, index: usize) -> &mut T {
        Arc::make_mut(&mut Arc::make_mut(&mut self.pages[index / PAGE])[index % PAGE])
    }

    pub(super) fn push(&mut self, part: T) {
        if self.len.is_multiple_of(PAGE) {
            self.pages.push(Arc::new(Vec::with_capacity(PAGE.min(self.len + 4))));
        }
        if let Some(page) = self.pages.last_mut() {
            Arc::make_mut(page).push(Arc::new(part));
            self.len += 1;
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.pages.iter().flat_map(|page| page.iter().map(|part| &**part))
    }
}
