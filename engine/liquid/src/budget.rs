//! How much work a template may still take for a record.

use crate::problem::Failure;
use crate::value::Value;

/// Bytes that may yet be looked through and made.
#[derive(Debug)]
pub(crate) struct Budget {
    left: usize,
}

impl Budget {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { left: bytes_max }
    }

    pub(crate) fn left(&self) -> usize {
        self.left
    }

    pub(crate) fn take(&mut self, bytes: usize) -> Result<(), Failure> {
        self.left = self.left.checked_sub(bytes).ok_or(Failure::TooMuch)?;
        Ok(())
    }

    /// For looking through a value. What is shared in it counts as often as it is met, so this stops where the budget ends.
    pub(crate) fn take_value(&mut self, value: &Value) -> Result<(), Failure> {
        const EACH: usize = 16;
        self.take(EACH)?;
        match value {
            Value::Text(text) => self.take(text.len()),
            Value::List(items) => items.iter().try_for_each(|item| self.take_value(item)),
            Value::Object(members) => members.iter().try_for_each(|(name, member)| {
                self.take(name.len())?;
                self.take_value(member)
            }),
            _ => Ok(()),
        }
    }

    /// For so many items that are made.
    pub(crate) fn take_items(&mut self, count: usize) -> Result<(), Failure> {
        const ITEM: usize = 32;
        self.take(count.saturating_mul(ITEM))
    }
}
