//! A name to words: `CUST_EMAIL_ADDR`, `customerEmail`, `Customer-E-Mail` and `Straße__c` as the words that they are made of.
//!
//! ```text
//! EMailAddress1 ─ case, digits, separators ─► e mail address 1
//! cust_addr_ln_2 ─ abbreviations ─► customer address line 2
//! ```
//!
//! Letters are folded to plain ones (`ü` to `ue`, `é` to `e`), so that a name means the same with and without its accents.
//! What the words mean together is the business of `synonyms.rs`.

use super::synonyms::abbreviated;

/// A name has at most so many words; what follows would not change what it means.
const WORDS_MAX: usize = 24;

/// The words of a name, in lower case, abbreviations written out.
pub(super) fn words(name: &str) -> Vec<String> {
    let mut words = parts(name);
    words.truncate(WORDS_MAX);
    // What Salesforce adds to the names of fields of one's own.
    if name.to_ascii_lowercase().ends_with("__c") && words.len() > 1 {
        words.pop();
    }
    words.into_iter().map(|word| abbreviated(&word).map_or(word, str::to_owned)).collect()
}

/// The words of a sentence, as they stand.
pub(super) fn sentence(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(|word| word.chars().flat_map(plain).collect()).collect()
}

/// What a character is, as far as words go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Lower,
    Upper,
    Digit,
    Other,
}

fn kind(c: char) -> Kind {
    match c {
        c if c.is_numeric() => Kind::Digit,
        c if c.is_uppercase() => Kind::Upper,
        c if c.is_alphabetic() => Kind::Lower,
        _ => Kind::Other,
    }
}

fn parts(name: &str) -> Vec<String> {
    let chars: Vec<char> = name.chars().take(WORDS_MAX * 16).collect();
    let mut words = Vec::new();
    let mut word = String::new();
    for (i, &c) in chars.iter().enumerate() {
        let here = kind(c);
        let before = i.checked_sub(1).map_or(Kind::Other, |i| kind(chars[i]));
        let next = chars.get(i + 1).map_or(Kind::Other, |c| kind(*c));
        let begins = match (before, here) {
            // The last capital of several begins the next word: `IPAddress`.
            (Kind::Upper, Kind::Upper) => next == Kind::Lower,
            (Kind::Lower, Kind::Upper) | (Kind::Digit, Kind::Lower | Kind::Upper) | (Kind::Lower | Kind::Upper, Kind::Digit) => true,
            _ => here == Kind::Other,
        };
        if begins && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if here != Kind::Other {
            word.extend(plain(c));
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// A letter without what stands above or below it, in lower case.
fn plain(c: char) -> Vec<char> {
    let folded = match c {
        'ä' | 'Ä' | 'æ' | 'Æ' => "ae",
        'ö' | 'Ö' | 'œ' | 'Œ' => "oe",
        'ü' | 'Ü' => "ue",
        'ß' => "ss",
        'é' | 'è' | 'ê' | 'ë' | 'É' | 'È' | 'Ê' | 'Ë' => "e",
        'á' | 'à' | 'â' | 'ã' | 'å' | 'Á' | 'À' | 'Â' | 'Ã' | 'Å' => "a",
        'í' | 'ì' | 'î' | 'ï' | 'Í' | 'Ì' | 'Î' | 'Ï' => "i",
        'ó' | 'ò' | 'ô' | 'õ' | 'ø' | 'Ó' | 'Ò' | 'Ô' | 'Õ' | 'Ø' => "o",
        'ú' | 'ù' | 'û' | 'Ú' | 'Ù' | 'Û' => "u",
        'ñ' | 'Ñ' => "n",
        'ç' | 'Ç' => "c",
        c => return c.to_lowercase().collect(),
    };
    folded.chars().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_falls_apart_at_case_digits_and_separators() {
        let split = |name: &str| words(name).join(" ");
        assert_eq!(split("firstName"), "first name");
        assert_eq!(split("FirstName"), "first name");
        assert_eq!(split("FIRST_NAME"), "first name");
        assert_eq!(split("first-name"), "first name");
        assert_eq!(split("IPAddress"), "ip address");
        assert_eq!(split("userID"), "user id");
        assert_eq!(split("EMailAddress1"), "e mail address 1");
        assert_eq!(split("address2"), "address 2");
        assert_eq!(split(""), "");
        assert_eq!(split("__"), "");
    }

    #[test]
    fn abbreviations_are_written_out_and_accents_folded() {
        let split = |name: &str| words(name).join(" ");
        assert_eq!(split("CUST_ADDR_LN_2"), "customer address line 2");
        assert_eq!(split("usr_crt_ts"), "user created timestamp");
        assert_eq!(split("Straße"), "strasse");
        assert_eq!(split("prénom"), "prenom");
        assert_eq!(split("Währung"), "waehrung");
        assert_eq!(split("Preferred_Language__c"), "preferred language");
    }

    #[test]
    fn a_very_long_name_is_cut() {
        assert_eq!(words(&"a_".repeat(10_000)).len(), WORDS_MAX);
    }
}
