//! What an [`Expr::Call`](super::Expr::Call) does with its arguments.
//!
//! A new directive that works on values is a variant here with the options that are the same for every record, a reader in
//! `planner/src/mapping/directives/`, and a writer in `engine/core/src/map/directives/`. What depends on the record is an argument.

use super::own::Own;

/// A function of the mapping language.
#[derive(Clone, Debug, PartialEq)]
pub enum Function {
    /// `@replace` of the first argument: text, numbers and booleans as text; anything else, and what is missing, as the empty text.
    Replace {
        /// At least one; each works on what the one before it gave.
        replacements: Vec<Replacement>,
        /// All occurrences rather than the first.
        global: bool,
        /// Upper and lower case are the same.
        ignore_case: bool,
    },
    /// `@flatten` of the first argument: an object of all that lies in it, by the ways there (`a.b.0`).
    Flatten {
        /// What stands between the steps of a way. Never empty.
        separator: String,
        /// Lists stay whole.
        omit_arrays: bool,
    },
    /// `@json` in mode `encode`: the JSON text of the first argument.
    JsonEncode,
    /// `@json` in mode `decode`: what the JSON text that is the first argument says; other text, and what is no text, as it is.
    JsonDecode,
    /// `@merge`: one object of the members of all arguments.
    Merge {
        /// Of equal keys the first counts, rather than the last.
        first_wins: bool,
    },
    /// `@excludeWhenNull`: the first argument without its null members; missing if it is null.
    ExcludeWhenNull,
    /// `@path` whose text is worked out from the record: the value at the path that the first argument writes, in the second.
    PathOf,
    /// `@template` whose text is worked out from the record: the first argument, with values of the second.
    TemplateOf,
    /// `@liquid`: a template of that language. The arguments are the values that it reads, in the order in which the template tells them;
    /// and when the sync began, in milliseconds since 1970, if it has filters of moments.
    Liquid {
        /// The template. It has been parsed once without a mistake.
        text: String,
        /// The arguments that are missing where the record has no such column: the template may have values of those names of its own.
        optional: Vec<usize>,
    },
    /// One that the reference does not have.
    Own(Own),
}

impl Function {
    /// The directive that it is written as.
    pub fn directive(&self) -> &'static str {
        match self {
            Self::Replace { .. } => "@replace",
            Self::Flatten { .. } => "@flatten",
            Self::JsonEncode | Self::JsonDecode => "@json",
            Self::Merge { .. } => "@merge",
            Self::ExcludeWhenNull => "@excludeWhenNull",
            Self::PathOf => "@path",
            Self::TemplateOf => "@template",
            Self::Liquid { .. } => "@liquid",
            Self::Own(own) => own.directive(),
        }
    }
}

/// A text that is put in the place of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replacement {
    /// What is looked for, as it stands. Never empty.
    pub pattern: String,
    /// What is put there, in which `$$` is a dollar, `$&` what was found, and `` $` `` and `$'` what stands before and behind it.
    pub with: String,
}
