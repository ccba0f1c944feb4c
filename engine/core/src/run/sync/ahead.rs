//! Records that are sent ahead of their sync must be such as this mapping sends: all of them go out, or none.

use outflow_contract::{Error, Key, Kind, Op, Result};

use super::Sync;
use crate::seal::Sealed;

/// So many records are named.
const NAMED_MAX: usize = 4;

impl Sync<'_> {
    /// What is to be sent ahead must be something that this mapping sends.
    pub(super) fn sends_some(&self, sealed: &Sealed) -> Result<()> {
        let is_retry = self.only.as_ref().is_some_and(|only| !only.unchanged);
        match sealed.unsendable.as_slice() {
            [] if sealed.selected.total() > 0 => Ok(()),
            [] if is_retry => {
                Err(Error::new(Kind::NotFound, "nothing is to be sent of these records: they are back to what was delivered")
                    .remedy("the next sync no longer counts them as pending"))
            }
            [] => Err(Error::new(Kind::NotFound, "the model no longer returns the record").remedy("try another record")),
            unsendable if is_retry => Err(self.refuse(unsendable)),
            [(_, op), ..] => {
                let selection = self.mapping.selection.as_str();
                let message = format!("for this mapping the record counts as {}, and it sends {selection} records only", op.as_str());
                Err(Error::invalid(message).remedy("try another record, or leave out --send"))
            }
        }
    }

    /// Why these of the records that somebody has named are not sent.
    fn refuse(&self, unsendable: &[(Key, Op)]) -> Error {
        let (name, selection) = (&self.mapping.name, self.mapping.selection.as_str());
        let id = |key: &Key| self.named.get(key).map_or("?", String::as_str);
        let (message, them, they_wait) = if let [(key, op)] = unsendable {
            let message = format!("the record {} waits as {}, and mapping `{name}` sends {selection} records only", id(key), op.as_str());
            (message, "it", "it no longer waits")
        } else {
            let mut named: Vec<String> = unsendable.iter().map(|(key, op)| format!("{} as {}", id(key), op.as_str())).collect();
            named.sort_unstable();
            if named.len() > NAMED_MAX {
                let more = named.split_off(NAMED_MAX).len();
                named.push(format!("{more} more"));
            }
            let message = format!("mapping `{name}` sends {selection} records only, and of these wait {}", named.join(", "));
            (message, "them", "they no longer wait")
        };
        Error::invalid(message).remedy(format!(
            "nothing was sent. Leave {them} out: the next sync passes over {them}, and {they_wait}; \
             only a mapping whose `records` include such changes sends {them}"
        ))
    }
}
