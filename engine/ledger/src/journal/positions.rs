//! Positions in a sealed change set, as ranges.

use std::ops::Range;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Positions in the order in which they were pushed. A request over neighbouring records costs one range.
///
/// There are never more than `u32::MAX` of them, whatever bytes they are read from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Positions {
    ranges: Vec<Range<u32>>,
    count: u32,
}

impl Positions {
    /// None at all.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many.
    pub fn len(&self) -> u32 {
        self.count
    }

    /// None at all?
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// One more, at the end.
    pub fn push(&mut self, position: u32) {
        // The last position of all cannot be the end of a half-open range; a change set is never that long.
        self.push_range(position..position.saturating_add(1));
    }

    /// More, at the end. What would go beyond `u32::MAX` positions is left off; a change set is never that long.
    pub fn push_range(&mut self, range: Range<u32>) {
        let length = range.end.saturating_sub(range.start).min(u32::MAX - self.count);
        if length == 0 {
            return;
        }
        let range = range.start..range.start + length;
        match self.ranges.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ => self.ranges.push(range),
        }
        self.count += length;
    }

    /// The ranges, in order.
    pub fn ranges(&self) -> &[Range<u32>] {
        &self.ranges
    }

    /// Each position, in order.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.ranges.iter().cloned().flatten()
    }
}

impl FromIterator<u32> for Positions {
    fn from_iter<I: IntoIterator<Item = u32>>(positions: I) -> Self {
        let mut all = Self::new();
        positions.into_iter().for_each(|position| all.push(position));
        all
    }
}

impl From<Range<u32>> for Positions {
    fn from(range: Range<u32>) -> Self {
        let mut all = Self::new();
        all.push_range(range);
        all
    }
}

/// Pairs of start and length: short in a format with variable-length numbers.
impl Serialize for Positions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.ranges.iter().map(|range| (range.start, range.end - range.start)))
    }
}

impl<'de> Deserialize<'de> for Positions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let pairs = Vec::<(u32, u32)>::deserialize(deserializer)?;
        let mut all = Self::new();
        for (start, length) in pairs {
            let end = start.checked_add(length).ok_or_else(|| de::Error::custom("a range of positions is too long"))?;
            if length == 0 || all.count.checked_add(length).is_none() {
                return Err(de::Error::custom("positions are not as they were written"));
            }
            all.push_range(start..end);
        }
        Ok(all)
    }
}
