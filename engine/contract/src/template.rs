//! What a destination makes of the mapped fields of a record, as data: so that the engine can weave it into the mapping, and a record
//! goes from columns to what a request carries in one pass.

use crate::outcome::Rejection;

/// JSON that is made of the mapped fields of a record. A field that was not mapped, is missing or null has no value.
#[derive(Clone, Debug, PartialEq)]
pub enum Template {
    /// The same for every record: JSON text.
    Constant(String),
    /// The value of that field, as it was mapped.
    Field(&'static str),
    /// The same, unless it is blank text: an identifier or address of nothing but spaces is none.
    Filled(&'static str),
    /// The same, which has to be an object: another value refuses the record.
    Object(&'static str),
    /// The first that there is.
    First(Vec<Self>),
    /// One without which the record is refused.
    Needed(Box<Self>, Rejection),
    /// The record's id (see [`RecordOrigin`](crate::destination::RecordOrigin)), as text of 32 hexadecimal digits.
    RecordId,
    /// An object of members; those without a value are left out.
    Members(Vec<Member>),
}

/// A part of an object.
#[derive(Clone, Debug, PartialEq)]
pub enum Member {
    /// A member.
    One(&'static str, Template),
    /// Several, of which at least one has to have a value: or else the record is refused.
    Any(Vec<(&'static str, Template)>, Rejection),
}

impl Template {
    /// The fields in it, in order.
    pub fn fields(&self) -> Vec<&'static str> {
        match self {
            Self::Constant(_) | Self::RecordId => Vec::new(),
            Self::Field(name) | Self::Filled(name) | Self::Object(name) => vec![name],
            Self::First(several) => several.iter().flat_map(Self::fields).collect(),
            Self::Needed(one, _) => one.fields(),
            Self::Members(members) => members.iter().flat_map(Member::fields).collect(),
        }
    }

    /// A member of that name.
    pub fn named(self, name: &'static str) -> Member {
        Member::One(name, self)
    }

    /// One that the record is refused without.
    pub fn or_refused(self, why: Rejection) -> Self {
        Self::Needed(Box::new(self), why)
    }

    /// It, or what stands for it where it has no value.
    pub fn or(self, other: Self) -> Self {
        Self::First(vec![self, other])
    }
}

impl Member {
    fn fields(&self) -> Vec<&'static str> {
        match self {
            Self::One(_, template) => template.fields(),
            Self::Any(several, _) => several.iter().flat_map(|(_, template)| template.fields()).collect(),
        }
    }
}

/// The message of a destination for one record.
#[derive(Clone, Debug)]
pub struct Message {
    /// What it is made of. Each field is taken once at the most.
    pub template: Template,
    /// The most bytes that it may have.
    pub bytes_max: usize,
    /// Why one of so many is refused.
    pub too_large: fn(usize) -> Rejection,
}
