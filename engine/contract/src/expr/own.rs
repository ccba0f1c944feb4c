//! The directives that the reference does not have.
//!
//! Each list of names is what a project file may write, with what it means: the planner reads by it, and says it.

use serde_json::Value;

/// A directive of our own.
#[derive(Clone, Debug, PartialEq)]
pub enum Own {
    /// `@hash` of the first argument, a scalar.
    Hash(Hashing),
    /// `@coalesce`: the first argument that is neither missing nor null.
    Coalesce {
        /// Nor text without anything but whitespace in it.
        blank: bool,
    },
    /// `@trim`: text without what stands at its ends; what is no text as it is.
    Trim {
        /// What goes; whitespace if left out.
        chars: Option<String>,
    },
    /// `@lookup` of the first argument, a scalar: what stands for it in a table, or the second argument.
    Lookup(Lookup),
    /// `@date` of the first argument: a moment in another form.
    Date(Dating),
    /// `@number` of the first argument: the number that a text says.
    Number(Numeral),
    /// `@split` of the first argument, a scalar: its parts.
    Split {
        /// What stands between them. Never empty.
        by: String,
        /// Without whitespace round each, and without those of which nothing is left.
        trim: bool,
        /// Only this one, counted from 0; from the end if it is negative.
        at: Option<i64>,
    },
    /// `@join`: the text of all arguments that are neither missing, null nor empty.
    Join {
        /// What is put between them.
        by: String,
        /// There is one argument, a list: of its items.
        items: bool,
    },
    /// `@now`, without arguments: when the sync began that sent the record first.
    Now {
        /// How it is written.
        to: Form,
        /// Where, by its name in the IANA's database; UTC if left out.
        zone: Option<String>,
    },
}

impl Own {
    /// The directive that it is written as.
    pub fn directive(&self) -> &'static str {
        match self {
            Self::Hash(_) => "@hash",
            Self::Coalesce { .. } => "@coalesce",
            Self::Trim { .. } => "@trim",
            Self::Lookup(_) => "@lookup",
            Self::Date(_) => "@date",
            Self::Number(_) => "@number",
            Self::Split { .. } => "@split",
            Self::Join { .. } => "@join",
            Self::Now { .. } => "@now",
        }
    }
}

/// How `@hash` works out a hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hashing {
    /// The hash.
    pub algorithm: Algorithm,
    /// How it is written.
    pub encoding: Encoding,
    /// What becomes of the text first.
    pub normal: Normal,
    /// The calling code of national phone numbers, in digits.
    pub calling_code: Option<String>,
    /// What is such a hash already is hashed, too.
    pub rehash: bool,
}

/// A hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// 32 bytes.
    Sha256,
    /// 64 bytes.
    Sha512,
    /// 16 bytes.
    Md5,
}

impl Algorithm {
    /// By their names.
    pub const NAMES: [(&'static str, Self); 3] = [("sha256", Self::Sha256), ("sha512", Self::Sha512), ("md5", Self::Md5)];

    /// The length of the hash.
    pub const fn bytes(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha512 => 64,
            Self::Md5 => 16,
        }
    }
}

/// How bytes are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Lower-case hexadecimal.
    Hex,
    /// Standard base64, padded.
    Base64,
}

impl Encoding {
    /// By their names.
    pub const NAMES: [(&'static str, Self); 2] = [("hex", Self::Hex), ("base64", Self::Base64)];
}

/// What becomes of a text before it is hashed: what the receivers ask for, which is not one thing.
///
/// "Lower" is lower case; "packed" is without any whitespace. What cannot be read as what it should be becomes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Normal {
    /// As it stands.
    AsIs,
    /// Packed and lower.
    Packed,
    /// Trimmed, lower, and without punctuation; the words stay apart.
    Words,
    /// Lower, and nothing but `a` to `z` and digits.
    Ascii,
    /// Packed and lower; at Gmail without dots before the `@`.
    EmailGoogle,
    /// Packed and lower; at Gmail without dots before the `@` and without what follows a `+`.
    EmailUid2,
    /// Packed and lower; anywhere without dots before the `@` and without what follows a `+`.
    EmailCanonical,
    /// `+` and the digits of the number, calling code included.
    PhoneE164,
    /// The digits of the number, calling code included.
    PhoneDigits,
    /// Packed and lower; the name of a state of the USA as its two letters.
    State,
    /// The two letters of a country, lower, by its name or its two or three letters.
    Country,
    /// Packed and lower, up to the first `-`.
    ZipShort,
    /// `YYYYMMDD`.
    DateOfBirth,
    /// `m` or `f`.
    Gender,
}

impl Normal {
    /// By the names of what is hashed; several may be treated alike.
    pub const NAMES: [(&'static str, Self); 21] = [
        ("none", Self::AsIs),
        ("email", Self::Packed),
        ("email_google", Self::EmailGoogle),
        ("email_uid2", Self::EmailUid2),
        ("email_canonical", Self::EmailCanonical),
        ("phone_e164", Self::PhoneE164),
        ("phone_digits", Self::PhoneDigits),
        ("name", Self::Packed),
        ("first_name", Self::Packed),
        ("last_name", Self::Packed),
        ("name_words", Self::Words),
        ("name_ascii", Self::Ascii),
        ("city", Self::Packed),
        ("city_ascii", Self::Ascii),
        ("state", Self::State),
        ("country", Self::Country),
        ("zip", Self::Packed),
        ("zip_short", Self::ZipShort),
        ("date_of_birth", Self::DateOfBirth),
        ("gender", Self::Gender),
        ("external_id", Self::Packed),
    ];
}

/// What `@lookup` finds.
#[derive(Clone, Debug, PartialEq)]
pub struct Lookup {
    /// What stands for what. Each key once, and in lower case where case does not count.
    pub table: Vec<(String, Value)>,
    /// Upper and lower case are the same.
    pub ignore_case: bool,
}

/// How `@date` reads and writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dating {
    /// What is read.
    pub from: Form,
    /// What is written.
    pub to: Form,
    /// The zone, by its name in the IANA's database: of what is read, if that says none, and of what is written. UTC if left out.
    pub zone: Option<String>,
}

/// A form of a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// ISO 8601, as columns are written: a day, or a moment with its offset or without.
    Iso,
    /// Seconds since 1970.
    Unix,
    /// Milliseconds since 1970.
    UnixMillis,
    /// `YYYY-MM-DD`.
    Date,
    /// By the conversions of strftime.
    Pattern(String),
}

impl Form {
    /// Those with names; all others are patterns.
    pub const NAMES: [(&'static str, Self); 4] =
        [("iso", Self::Iso), ("unix", Self::Unix), ("unix_ms", Self::UnixMillis), ("date", Self::Date)];
}

/// How `@number` reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numeral {
    /// What stands before the fraction: a point, or a comma.
    pub decimal: char,
    /// What may stand between digits.
    pub group: String,
    /// Signs and letters of a currency may stand before it and behind it.
    pub currency: bool,
}
