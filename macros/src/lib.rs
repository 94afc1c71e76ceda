//! Derive macros of HeavenBase. Use them through the `heavenbase` crate.
