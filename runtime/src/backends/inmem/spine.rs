//! A growing sequence of shared parts: cloning it copies a few pointers, changing a part copies that part only when a
//! snapshot still holds it.

use std::sync::Arc;

const PAGE: usize = 64;

#[derive(Clone, Debug)]
pub(super) struct Spine<T> {
    pages: Vec<Arc<[Arc<T>]>>,
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
        let last = if self.len.is_multiple_of(PAGE) { None } else { self.pages.pop() };
        // Few parts are ever added: a page is made anew for each, and lies in one piece with its pointers.
        let parts = last.iter().flat_map(|page| page.iter().cloned());
        self.pages.push(parts.chain(std::iter::once(Arc::new(part))).collect());
        self.len += 1;
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.pages.iter().flat_map(|page| page.iter().map(|part| &**part))
    }
}
