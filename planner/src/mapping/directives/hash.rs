//! `@hash`.

use outflow_contract::expr::{Algorithm, Encoding, Expr, Hashing, Normal, Own};

use super::super::{Reader, missing};
use super::own::{call_one, find};
use crate::tree::{Member, Node};

const KEYS: [&str; 6] = ["algorithm", "encoding", "as", "country", "rehash", "value"];
const HELP: &str = "write `{ \"@hash\": { as: email, value: $.email } }`";
/// The most digits of a calling code.
const CODE_DIGITS_MAX: usize = 3;

impl Reader<'_> {
    pub(super) fn at_hash(&mut self, node: &Node) -> Expr {
        let Some(members) = self.options(node, "@hash", &KEYS, HELP) else { return missing() };
        let algorithm = self.choice(members, "@hash", "algorithm", &Algorithm::NAMES, Algorithm::Sha256);
        let encoding = self.choice(members, "@hash", "encoding", &Encoding::NAMES, Encoding::Hex);
        let normal = self.choice(members, "@hash", "as", &Normal::NAMES, Normal::AsIs);
        let calling_code = normal.and_then(|normal| self.calling_code(members, normal));
        let rehash = self.flag(members, "@hash", "rehash", false);
        let value = self.value_of(node, members, "@hash", HELP);
        let (Some(algorithm), Some(encoding), Some(normal), Some(calling_code), Some(value)) =
            (algorithm, encoding, normal, calling_code, value)
        else {
            return missing();
        };
        call_one(Own::Hash(Hashing { algorithm, encoding, normal, calling_code, rehash }), value)
    }

    /// The digits of `country`. `None` if it is none, or not asked for, which is said.
    #[allow(clippy::option_option, reason = "what is refused is neither given nor left out")]
    fn calling_code(&mut self, members: &[Member], normal: Normal) -> Option<Option<String>> {
        const HELP: &str =
            "write the calling code of national numbers, such as `country: 47`, beside `as: phone_e164` or `as: phone_digits`";
        let Some(node) = find(members, "country") else { return Some(None) };
        let text = node.as_count().map(|code| code.to_string()).or_else(|| node.as_str().map(ToOwned::to_owned)).unwrap_or_default();
        let digits = text.strip_prefix('+').unwrap_or(&text);
        let is_code =
            (1..=CODE_DIGITS_MAX).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
        if !is_code {
            self.log.error(node.span, "the `country` of `@hash` is a calling code, of one to three digits").help(HELP);
            return None;
        }
        if !matches!(normal, Normal::PhoneE164 | Normal::PhoneDigits) {
            self.log.error(node.span, "the `country` of `@hash` goes with phone numbers only").help(HELP);
            return None;
        }
        Some(Some(digits.to_owned()))
    }
}
