//! One file for each directive that does more than its node says: how it is compiled, where that needs care, and written.

pub(crate) mod array_path;
pub(crate) mod case;
pub(crate) mod condition;
pub(crate) mod template;
