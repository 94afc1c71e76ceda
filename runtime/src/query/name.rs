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

/// The text of a [`Name`].
pub trait NameText {
    /// The name; empty for the layout's default backend.
    const TEXT: &'static str;
}

macro_rules! name_text {
    ($($character:ident)+) => {
        impl<$(const $character: char),+> NameText for Name<$($character),+> {
            const TEXT: &'static str = text(&Self::BYTES);
        }

        impl<$(const $character: char),+> Name<$($character),+> {
            /// Names are ASCII: a byte a character, zero after the last.
            const BYTES: [u8; 24] = [$($character as u8),+];
        }
    };
}

name_text!(C0 C1 C2 C3 C4 C5 C6 C7 C8 C9 C10 C11 C12 C13 C14 C15 C16 C17 C18 C19 C20 C21 C22 C23);

const fn text(bytes: &[u8; 24]) -> &str {
    let mut length = 0;
    while length < bytes.len() && bytes[length] != 0 {
        length += 1;
    }
    match std::str::from_utf8(bytes.split_at(length).0) {
        Ok(text) => text,
        Err(_) => "",
    }
}

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

#[cfg(test)]
mod tests {
    use super::{Name, NameText};

    #[test]
    fn the_text_of_a_name_is_its_characters() {
        assert_eq!(<Name as NameText>::TEXT, "");
        assert_eq!(<Name<'m', 'a', 'i', 'n'> as NameText>::TEXT, "main");
        type Long =
            Name<'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', 'p', 'q', 'r', 's', 't', 'u', 'v', 'w', '_'>;
        assert_eq!(Long::TEXT, "abcdefghijklmnopqrstuvw_");
    }
}
