//! Goal: every text becomes what its receiver hashes, and every hash is the right one. Method: the texts are looked at before they are
//! hashed; the hashes are those that other programs give.

use outflow_contract::expr::Normal;

use super::*;

fn options(normal: &str, calling_code: Option<&str>) -> Hashing {
    let (_, normal) = Normal::NAMES.into_iter().find(|(name, _)| *name == normal).unwrap();
    let calling_code = calling_code.map(Into::into);
    Hashing { algorithm: Algorithm::Sha256, encoding: Encoding::Hex, normal, calling_code, rehash: false }
}

fn normalised(normal: &str, calling_code: Option<&str>, text: &str) -> String {
    // Something stands before it, as it does in a payload.
    let mut buf = b"{\"x\":".to_vec();
    normal::write(&options(normal, calling_code), text, &mut buf);
    String::from_utf8(buf).unwrap().strip_prefix("{\"x\":").unwrap().to_owned()
}

fn hashed(options: &Hashing, text: &str) -> String {
    let mut buf = Vec::new();
    assert!(Hash::new(options, "").hash(text, &mut buf));
    serde_json::from_slice(&buf).unwrap()
}

#[test]
fn each_variant_makes_of_a_text_what_its_receivers_hash() {
    for (normal, text, expected) in [
        ("none", " Jane ", " Jane "),
        ("email", " Jane.Doe+news@Example.COM\t", "jane.doe+news@example.com"),
        ("email", "Jane @example.com", "jane@example.com"),
        ("email_google", "J.A.Ne+x@GMail.com ", "jane+x@gmail.com"),
        ("email_google", "j.ane@googlemail.com", "jane@googlemail.com"),
        ("email_google", "j.ane@example.com", "j.ane@example.com"),
        ("email_uid2", "j.a.ne+x+y@gmail.com", "jane@gmail.com"),
        ("email_uid2", "j.ane+x@googlemail.com", "j.ane+x@googlemail.com"),
        ("email_canonical", "J.ane+x@mail.example.com", "jane@mail.example.com"),
        ("email_canonical", "no address", "noaddress"),
        ("name", " Anne Marie ", "annemarie"),
        ("first_name", "ÅSE\u{a0}", "åse"),
        ("last_name", "O'Neill-Smith", "o'neill-smith"),
        ("name", "ΟΔΟΣ", "οδος"),
        ("name_words", " O’Neill-Smith, Jr. ", "oneillsmith jr"),
        ("name_words", "A+B", "a+b"),
        ("name_ascii", "O'Neill Müller", "oneillmller"),
        ("city", "San Francisco", "sanfrancisco"),
        ("city_ascii", "St. Gallen", "stgallen"),
        ("state", "New York", "ny"),
        ("state", "CA", "ca"),
        ("state", "Bayern", "bayern"),
        ("country", "NO", "no"),
        ("country", "nor", "no"),
        ("country", "United States of America", "us"),
        ("country", "Côte d'Ivoire", "ci"),
        ("country", "UK", "gb"),
        ("country", "Atlantis", ""),
        ("country", "47", ""),
        ("zip", " SW1A 1AA ", "sw1a1aa"),
        ("zip", "94103-1234", "94103-1234"),
        ("zip_short", "94103-1234", "94103"),
        ("date_of_birth", "1985-04-12", "19850412"),
        ("date_of_birth", "1985-04-12T00:00:00Z", "19850412"),
        ("date_of_birth", " 1985/04/12 ", "19850412"),
        ("date_of_birth", "19850412", "19850412"),
        ("date_of_birth", "1985-02-30", ""),
        ("date_of_birth", "12.04.1985", ""),
        ("date_of_birth", "1985-04-123", ""),
        ("gender", "Female", "f"),
        ("gender", "m", "m"),
        ("gender", "other", ""),
        ("external_id", " A 1 ", "a1"),
    ] {
        assert_eq!(normalised(normal, None, text), expected, "{normal}: {text:?}");
    }
}

#[test]
fn a_phone_number_is_the_digits_to_dial_from_anywhere() {
    for (calling_code, text, expected) in [
        (None, "+47 912 34 567", "4791234567"),
        (None, "0047-91234567", "4791234567"),
        (None, "tel:+1 (415) 555-0100 ext. 12", "14155550100"),
        (None, "+44 (0)20 7946 0018", "442079460018"),
        (None, "14155550100", "14155550100"),
        (None, "0151 23456789", ""),
        (None, "+49 1", ""),
        (None, "+1234567890123456", ""),
        (None, "none", ""),
        (Some("1"), "(415) 555-0100", "14155550100"),
        (Some("1"), "1-415-555-0100", "14155550100"),
        (Some("1"), "555-0100", ""),
        (Some("1"), "+47 91234567", "4791234567"),
        (Some("47"), "47 12 34 56", "4747123456"),
        (Some("47"), "4747123456", "4747123456"),
        (Some("49"), "0151 23456789", "4915123456789"),
        (Some("49"), "4915123456789", "4915123456789"),
        (Some("33"), "06 12 34 56 78", "33612345678"),
        (Some("39"), "06 1234 5678", "390612345678"),
        (Some("39"), "393 123 4567", "393931234567"),
        (Some("39"), "39 393 123 4567", "393931234567"),
        (Some("7"), "8 (912) 345-67-89", "79123456789"),
        (Some("7"), "9123456789", "79123456789"),
        (Some("36"), "06 30 123 4567", "36301234567"),
        (Some("44"), "020 7946 0018 x5", "442079460018"),
    ] {
        assert_eq!(normalised("phone_digits", calling_code, text), expected, "{calling_code:?}: {text:?}");
        let with_plus = if expected.is_empty() { String::new() } else { format!("+{expected}") };
        assert_eq!(normalised("phone_e164", calling_code, text), with_plus, "{calling_code:?}: {text:?}");
    }
}

#[test]
fn the_hashes_are_those_of_other_programs() {
    let email = options("email", None);
    let text = "8c87b489ce35cf2e2f39f80e282cb2e804932a56a213983eeeb428407d43b52d";
    assert_eq!(hashed(&email, " Jane@Example.com"), text);
    let base64 = Hashing { encoding: Encoding::Base64, ..email.clone() };
    assert_eq!(hashed(&base64, "jane@example.com"), "jIe0ic41zy4vOfgOKCyy6ASTKlaiE5g+7rQoQH1DtS0=");
    let md5 = Hashing { algorithm: Algorithm::Md5, ..email.clone() };
    assert_eq!(hashed(&md5, "jane@example.com"), "9e26471d35a78862c17e467d87cddedf");
    let sha512 = Hashing { algorithm: Algorithm::Sha512, ..email };
    assert_eq!(hashed(&sha512, "jane@example.com").len(), 128);
    assert!(hashed(&sha512, "jane@example.com").starts_with("ee139ce3188d0f7c"));
}

#[test]
fn what_is_a_hash_already_is_passed_on() {
    let email = options("email", None);
    let hash = hashed(&email, "jane@example.com");
    assert_eq!(hashed(&email, &format!(" {} ", hash.to_uppercase())), hash);
    assert_ne!(hashed(&Hashing { rehash: true, ..email.clone() }, &hash), hash);
    // Of another length, or with another letter in it: not such a hash.
    assert_ne!(hashed(&email, &hash[..62]), hash[..62]);
    assert_ne!(hashed(&email, &hash.replace('8', "g")), hash.replace('8', "g"));
    assert_ne!(hashed(&Hashing { algorithm: Algorithm::Md5, ..email.clone() }, &hash), hash);
    let base64 = Hashing { encoding: Encoding::Base64, ..email };
    let encoded = hashed(&base64, "jane@example.com");
    assert_eq!(hashed(&base64, &encoded), encoded);
    assert_eq!(hashed(&base64, &hash), encoded);
}

#[test]
fn nothing_is_not_hashed() {
    let mut buf = b"x".to_vec();
    assert!(!Hash::new(&options("email", None), "").hash(" \n", &mut buf));
    assert!(!Hash::new(&options("none", None), "").hash("", &mut buf));
    assert!(!Hash::new(&options("gender", None), "").hash("n/a", &mut buf));
    assert_eq!(buf, b"x");
}
