//! Changed records with their values: as they were, as they are, and in which columns they differ.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use outflow_contract::{Error, Op, Result, RowHash};
use outflow_ledger::changes::Locator;
use serde_json::Value;

use super::Comparison;
use super::net::Net;
use crate::diff::{Lanes, RecordHasher};
use crate::extract::hash_key;
use crate::map::identifiers;
use crate::preview::{Column, PreviewColumn, redact};
use crate::snapshot::values::fetch_as_written;

/// A record that differs between two versions.
#[derive(Clone, Debug, PartialEq)]
pub struct Changed {
    /// How.
    pub op: Op,
    /// Its identifier as JSON text.
    pub id: String,
    /// Its columns.
    pub columns: Arc<[PreviewColumn]>,
    /// Its values in their order, as they would look in a payload: those of the version that is ended with, or of a deleted record
    /// those that it had.
    pub values: Vec<Value>,
    /// For an update: the columns that differ, of those that it has in both versions.
    pub changes: Vec<ColumnChange>,
}

/// A column of an updated record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnChange {
    /// Its name.
    pub column: String,
    /// What it held.
    pub before: Shown,
    /// What it holds.
    pub after: Shown,
}

/// A value, and of what type it is, as SQL names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// As it would look in a payload.
    pub value: Value,
    /// The type of its column then.
    pub kind: String,
}

/// A record in one version: its values are equal to others if and only if their hashes are.
struct Side {
    id: String,
    columns: Arc<[PreviewColumn]>,
    values: Vec<Value>,
    hashes: Vec<RowHash>,
}

impl Comparison<'_> {
    /// The records of `nets` with their values, in this order.
    pub(super) fn changed(&self, nets: &[Net]) -> Result<Vec<Changed>> {
        let sides = self.sides(nets, true)?;
        nets.iter().map(|net| changed(net, &sides)).collect()
    }

    /// Where those of `nets` are now that have the same values before and after in every column that they have in both.
    pub(super) fn same(&self, nets: &[Net]) -> Result<Vec<Locator>> {
        let sides = self.sides(nets, false)?;
        let same = |net: &&Net| match (side(net.from, &sides), side(net.to, &sides)) {
            (Some(from), Some(to)) => differing(from, to).next().is_none(),
            _ => false,
        };
        Ok(nets.iter().filter(same).filter_map(|net| net.to).collect())
    }

    /// What `nets` name, by place; its hashes alone, unless its values are to be shown.
    fn sides(&self, nets: &[Net], shown: bool) -> Result<HashMap<Locator, Side>> {
        let mut places: Vec<Locator> = nets.iter().flat_map(|net| [net.from, net.to]).flatten().collect();
        places.sort_unstable();
        places.dedup();
        let mut sides = HashMap::with_capacity(places.len());
        fetch_as_written(self.store, &self.head.files, &places, |found| {
            sides.extend(found.places.into_iter().zip(self.read(&found.values, shown)?));
            Ok(())
        })?;
        Ok(sides)
    }

    fn read(&self, batch: &RecordBatch, shown: bool) -> Result<Vec<Side>> {
        let schema = batch.schema();
        let readers: Vec<Column> = schema.fields().iter().map(|field| Column::new(field)).collect();
        let columns: Arc<[PreviewColumn]> = readers.iter().map(|reader| reader.shown.clone()).collect();
        let ids = if shown { identifiers(batch, &self.head.id)? } else { vec![String::new(); batch.num_rows()] };
        let side = |id: String| Side {
            id: self.redactor.clean(&id),
            columns: Arc::clone(&columns),
            values: Vec::with_capacity(columns.len()),
            hashes: Vec::with_capacity(columns.len()),
        };
        let mut sides: Vec<Side> = ids.into_iter().map(side).collect();
        let (key, mut keys, mut rows) = (hash_key(self.head.salt), Lanes::default(), Lanes::default());
        for (reader, array) in readers.iter().zip(batch.columns()) {
            RecordHasher::projected(&key, &schema, std::slice::from_ref(&reader.shown.name))?.hash(batch, &mut keys, &mut rows)?;
            sides.iter_mut().enumerate().for_each(|(i, side)| side.hashes.push(rows.row(i)));
            if shown {
                for (side, mut value) in sides.iter_mut().zip(reader.values(array)?) {
                    redact(&mut value, self.redactor);
                    side.values.push(value);
                }
            }
        }
        Ok(sides)
    }
}

fn side(place: Option<Locator>, sides: &HashMap<Locator, Side>) -> Option<&Side> {
    sides.get(&place?)
}

fn changed(net: &Net, sides: &HashMap<Locator, Side>) -> Result<Changed> {
    let (from, to) = (side(net.from, sides), side(net.to, sides));
    let last = to.or(from).ok_or_else(|| Error::corrupt("a change set does not say where the values of a record are"))?;
    let change = |(i, j): (usize, usize)| {
        let shown = |side: &Side, i: usize| Shown { value: side.values[i].clone(), kind: side.columns[i].kind.clone() };
        Some(ColumnChange { column: last.columns[j].name.clone(), before: shown(from?, i), after: shown(to?, j) })
    };
    let changes = from.zip(to).map(|(from, to)| differing(from, to).filter_map(change).collect());
    Ok(Changed {
        op: net.op,
        id: last.id.clone(),
        columns: Arc::clone(&last.columns),
        values: last.values.clone(),
        changes: changes.unwrap_or_default(),
    })
}

/// The columns that both have and in which they differ, by their places in each, in the order of `to`.
fn differing<'a>(from: &'a Side, to: &'a Side) -> impl Iterator<Item = (usize, usize)> + 'a {
    to.columns.iter().enumerate().filter_map(move |(j, column)| {
        let i = from.columns.iter().position(|other| other.name == column.name)?;
        (from.hashes[i] != to.hashes[j]).then_some((i, j))
    })
}
