//! The directives that the reference does not have, made ready.

use outflow_contract::expr::Own;
use outflow_contract::{Error, Result};

use super::super::call::Work;
use super::{coalesce, date, hash, lookup, number, split, trim};

/// What does the work of `own` at that place in the mapping.
pub(crate) fn work(own: &Own, place: &str) -> Result<Box<dyn Work>> {
    Ok(match own {
        Own::Hash(options) => Box::new(hash::Hash::new(options, place)),
        Own::Coalesce { blank } => Box::new(coalesce::Coalesce { blank: *blank }),
        Own::Trim { chars } => Box::new(trim::Trim { chars: chars.clone() }),
        Own::Lookup(options) => Box::new(lookup::Lookup::new(options, place)),
        Own::Date(options) => Box::new(date::Date::new(options, place)?),
        Own::Number(options) => Box::new(number::Number::new(options, place)),
        Own::Split { by, trim, at } => Box::new(split::Split::new(by, *trim, *at, place)),
        Own::Join { by, items } => Box::new(split::Join::new(by, *items, place)),
        Own::Now { .. } => return Err(Error::bug("`@now` is a node of its own")),
    })
}
