//! What the drivers of engines inside this process share: long work off the caller's thread, JSON paths for functions of
//! ours inside SQL.

pub(crate) mod blocking;
pub(crate) mod json_path;
