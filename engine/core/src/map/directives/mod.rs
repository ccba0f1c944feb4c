//! One file for each directive that does more than its node says: how it is compiled, where that needs care, and written.

pub(crate) mod array_path;
pub(crate) mod case;
pub(crate) mod coalesce;
pub(crate) mod condition;
pub(crate) mod date;
pub(crate) mod dynamic;
pub(crate) mod exclude_null;
pub(crate) mod flatten;
pub(crate) mod hash;
pub(crate) mod json_text;
pub(crate) mod liquid;
pub(crate) mod lookup;
pub(crate) mod merge;
pub(crate) mod number;
pub(crate) mod own;
pub(crate) mod replace;
pub(crate) mod scalar;
pub(crate) mod split;
pub(crate) mod template;
pub(crate) mod transform;
pub(crate) mod trim;

#[cfg(test)]
mod tests;
