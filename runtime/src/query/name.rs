use std::marker::PhantomData;

/// A backend's name as a type, one character a parameter, so that compiler messages can show it. At most 24 characters.
/// The empty name stands for the layout's default backend.
#[derive(Debug)]
pub struct Name<
    const C0: char = '\0',
    const C1: char = '\0',
    const C2: char = '\0',
    const C3: char = '\0',
    const C4: char = '\0',
    const C5: char = '\0',
    const C6: char = '\0',
    const C7: char = '\0',
    const C8: char = '\0',
    const C9: char = '\0',
    const C10: char = '\0',
    const C11: char = '\0',
    const C12: char = '\0',
    const C13: char = '\0',
    const C14: char = '\0',
    const C15: char = '\0',
    const C16: char = '\0',
    const C17: char = '\0',
    const C18: char = '\0',
    const C19: char = '\0',
    const C20: char = '\0',
    const C21: char = '\0',
    const C22: char = '\0',
    const C23: char = '\0',
>;

/// A backend of a layout, as a value: `Shop::SEARCH`, for `Product::BODY.on(Shop::SEARCH)`.
pub struct Slot<L, N> {
    name: &'static str,
    of: PhantomData<fn() -> (L, N)>,
}

impl<L, N> Slot<L, N> {
    #[doc(hidden)]
    pub const fn new(name: &'static str) -> Self {
        Slot { name, of: PhantomData }
    }

    /// The backend's name in the layout.
    pub const fn name(self) -> &'static str {
        self.name
    }
}

impl<L, N> Clone for Slot<L, N> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<L, N> Copy for Slot<L, N> {}

impl<L, N> std::fmt::Debug for Slot<L, N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Slot({})", self.name)
    }
}
