//! Reset: the next sync of a mapping treats every record as added (rule 15).

use std::sync::Arc;

use outflow_contract::{Error, Kind, Op, Result};
use outflow_ledger::chain::Chain;
use outflow_ledger::commit::MappingCommit;

use super::{Engine, account, recover};
use crate::blocking;
use crate::time::rfc3339;

impl Engine {
    /// Makes the next sync of `name` send every record. False if it has never synced, so that there is nothing to forget.
    pub async fn reset(&self, name: &str, wait: bool) -> Result<bool> {
        let mapping = self.project.mapping(name).ok_or_else(|| Error::new(Kind::NotFound, format!("there is no mapping `{name}`")))?;
        if !mapping.selection.contains(Op::Added) {
            let selection = mapping.selection.as_str();
            return Err(Error::invalid(format!(
                "mapping `{name}` sends {selection} records only: a reset would have nothing to send again"
            ))
            .remedy("reset a mapping that sends added records"));
        }
        let locks = self.lock(&[mapping], wait).await?;
        recover::mappings(self, &[mapping]).await?;
        let (store, owned, nonce) = (Arc::clone(&self.store), name.to_owned(), self.clock.random());
        let at = rfc3339(self.clock.wall());
        let only_upserts = !mapping.selection.contains(Op::Deleted);
        let now = (
            mapping.model.clone(),
            account(self, mapping)?,
            self.project.model(&mapping.model).map(|model| model.id.clone()).unwrap_or_default(),
        );
        let done = blocking(move || {
            let chain = Chain::of_mapping(&owned);
            let Some(head): Option<MappingCommit> = chain.head(store.as_ref())? else { return Ok(false) };
            let mut next = MappingCommit { number: head.number + 1, at, generation: head.generation + 1, ..head };
            let moved = (&next.model, &next.account, &next.id) != (&now.0, &now.1, &now.2);
            (next.model, next.account, next.id) = now;
            // What was delivered elsewhere, or under another identifier, is none of the new place's business.
            if moved || only_upserts {
                // The same as sending every record with its state before unknown: nothing of it is ever deleted by this mapping.
                (next.cursor, next.pending) = (None, Vec::new());
            } else {
                next.resend = true;
            }
            chain.commit(store.as_ref(), &next, nonce, &format!("mapping `{owned}`")).map(|()| true)
        })
        .await;
        drop(locks);
        done
    }
}
