//! The identity of a record, of its state, and of a request.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

macro_rules! hash128 {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u128);

        impl $name {
            /// The two halves, high first: how the hash is stored in a pair of `UInt64` columns.
            pub fn halves(self) -> (u64, u64) {
                ((self.0 >> 64) as u64, self.0 as u64)
            }

            /// The inverse of [`Self::halves`].
            pub fn from_halves(high: u64, low: u64) -> Self {
                Self((u128::from(high) << 64) | u128::from(low))
            }
        }

        /// 32 lower-case hexadecimal digits.
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:032x}", self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:032x})"), self.0)
            }
        }

        /// Text (hexadecimal) in readable formats, 16 bytes in binary ones.
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.collect_str(self)
                } else {
                    self.0.to_be_bytes().serialize(serializer)
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if deserializer.is_human_readable() {
                    let text = String::deserialize(deserializer)?;
                    u128::from_str_radix(&text, 16).map(Self).map_err(de::Error::custom)
                } else {
                    <[u8; 16]>::deserialize(deserializer).map(|bytes| Self(u128::from_be_bytes(bytes)))
                }
            }
        }
    };
}

hash128! {
    /// A 128-bit keyed hash of a record's canonical identifier. Equal keys are the same record.
    Key
}
hash128! {
    /// A 128-bit keyed hash of a record's canonical columns, the identifier's included. Equal hashes are the same state.
    RowHash
}
hash128! {
    /// The idempotency key of a request: the same bytes under the same first intent have the same key, across retries and crashes.
    RequestKey
}
hash128! {
    /// The identity of one state of a record in one mapping, for destinations that deduplicate by record: the same across retries and
    /// crashes, different for every other state, and after a reset or a replay.
    RecordId
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_and_text_give_the_key_back() {
        let key = Key(0x0123_4567_89ab_cdef_fedc_ba98_7654_3210);
        let (high, low) = key.halves();
        assert_eq!(Key::from_halves(high, low), key);
        let text = serde_json::to_string(&key).unwrap();
        assert_eq!(text, "\"0123456789abcdeffedcba9876543210\"");
        assert_eq!(serde_json::from_str::<Key>(&text).unwrap(), key);
    }
}
