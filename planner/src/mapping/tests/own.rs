//! Our own directives: what they are read as, and what is refused.

use outflow_contract::expr::{Algorithm, Dating, Encoding, Form, Hashing, Lookup, Normal, Numeral, Own};

use super::*;

fn one(own: Own, column: &str) -> Expr {
    Expr::Call { function: Function::Own(own), args: vec![Expr::Path(path(&[column]))] }
}

/// Says of each directive with a mistake what is wrong.
fn refused(directive: &str, cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        assert_eq!(problem(&format!("{{ '{directive}': {text} }}")), *expected, "{directive}: {text}");
    }
}

#[test]
fn a_hash_is_read_with_its_options() {
    let plain = Hashing { algorithm: Algorithm::Sha256, encoding: Encoding::Hex, normal: Normal::AsIs, calling_code: None, rehash: false };
    assert_eq!(expr("{ '@hash': { value: $.x } }"), one(Own::Hash(plain.clone()), "x"));
    let full = Hashing {
        algorithm: Algorithm::Md5,
        encoding: Encoding::Base64,
        normal: Normal::PhoneE164,
        calling_code: Some("47".into()),
        rehash: true,
    };
    let text = "{ '@hash': { algorithm: md5, encoding: base64, as: phone_e164, country: +47, rehash: true, value: $.x } }";
    assert_eq!(expr(&text.replace("+47", "'+47'")), one(Own::Hash(full.clone()), "x"));
    assert_eq!(expr(&text.replace("+47", "47")), one(Own::Hash(full), "x"));
    refused(
        "@hash",
        &[
            ("$.x", "`@hash` takes a mapping, and this is text"),
            ("{ as: email }", "`@hash` has no `value`"),
            ("{ as: emial, value: $.x }", "`@hash` knows no such `as`"),
            ("{ algorithm: sha1, value: $.x }", "`@hash` knows no such `algorithm`"),
            ("{ encoding: 5, value: $.x }", "`@hash` knows no such `encoding`"),
            ("{ rehash: 1, value: $.x }", "the `rehash` of `@hash` is true or false, and this is a number"),
            ("{ value: [$.x] }", "the `value` of `@hash` is one value, and this is a list"),
            ("{ value: { a: $.x } }", "the `value` of `@hash` is one value, and this is a mapping"),
            ("{ as: email, country: 47, value: $.x }", "the `country` of `@hash` goes with phone numbers only"),
            ("{ as: phone_e164, country: NO, value: $.x }", "the `country` of `@hash` is a calling code, of one to three digits"),
            ("{ norm: email, value: $.x }", "`@hash` has no key `norm`"),
        ],
    );
}

#[test]
fn a_coalesce_takes_a_list_and_says_what_it_never_reaches() {
    let args = || vec![Expr::Path(path(&["a"])), Expr::Literal(json!("x"))];
    let call = |blank| Expr::Call { function: Function::Own(Own::Coalesce { blank }), args: args() };
    assert_eq!(expr("{ '@coalesce': [$.a, x] }"), call(false));
    assert_eq!(expr("{ '@coalesce': { values: [$.a, x], blank: true } }"), call(true));
    assert_eq!(expr("{ '@coalesce': [x] }"), Expr::Literal(json!("x")));
    let (folded, _, warnings) = read("{ '@coalesce': [$.a, x, $.b] }");
    assert_eq!(folded, call(false));
    assert_eq!(warnings, ["this value is never taken: the one before it is always there"]);
    refused(
        "@coalesce",
        &[
            ("[]", "`@coalesce` takes a list of values, and this is an empty one"),
            ("{ values: $.a }", "`@coalesce` takes a list of values, and this is text"),
            ("{ blank: true }", "`@coalesce` has no `values`"),
            ("5", "`@coalesce` takes a mapping, and this is a number"),
        ],
    );
}

#[test]
fn a_trim_and_a_number_may_be_short() {
    assert_eq!(expr("{ '@trim': $.x }"), one(Own::Trim { chars: None }, "x"));
    assert_eq!(expr("{ '@trim': { '@path': $.x } }"), one(Own::Trim { chars: None }, "x"));
    assert_eq!(expr("{ '@trim': { value: $.x, chars: '-' } }"), one(Own::Trim { chars: Some("-".into()) }, "x"));
    let number = |decimal, group: &str, currency| one(Own::Number(Numeral { decimal, group: group.into(), currency }), "x");
    assert_eq!(expr("{ '@number': $.x }"), number('.', "", false));
    assert_eq!(expr("{ '@number': { value: $.x, decimal: ',', group: '. ', currency: true } }"), number(',', ". ", true));
    refused(
        "@trim",
        &[
            ("[$.x]", "what `@trim` takes is one value, and this is a list"),
            ("{ chars: '-' }", "`@trim` has no `value`"),
            ("{ value: $.x, chars: '' }", "the `chars` of `@trim` is text, and this is empty"),
        ],
    );
    refused(
        "@number",
        &[
            ("{ value: $.x, decimal: x }", "`@number` knows no such `decimal`"),
            ("{ value: $.x, group: '.' }", "the `group` of `@number` has `.` in it, which means something else in a number"),
            ("{ value: $.x, group: 5 }", "the `group` of `@number` is text, and this is a number"),
        ],
    );
}

#[test]
fn a_lookup_has_a_table_of_constants() {
    let table = vec![("a".to_owned(), json!("A")), ("b".to_owned(), json!({ "n": [1] }))];
    let mut args = vec![Expr::Path(path(&["x"]))];
    let call = |ignore_case, args: &[Expr]| Expr::Call {
        function: Function::Own(Own::Lookup(Lookup { table: table.clone(), ignore_case })),
        args: args.to_vec(),
    };
    assert_eq!(expr("{ '@lookup': { value: $.x, table: { a: A, b: { n: [1] } } } }"), call(false, &args));
    args.push(Expr::Path(path(&["y"])));
    assert_eq!(expr("{ '@lookup': { value: $.x, table: { A: A, b: { n: [1] } }, default: $.y, ignorecase: true } }"), call(true, &args));
    refused(
        "@lookup",
        &[
            ("{ value: $.x }", "`@lookup` has no `table`"),
            ("{ value: $.x, table: {} }", "the `table` of `@lookup` is a mapping, and this is an empty one"),
            ("{ value: $.x, table: [a] }", "the `table` of `@lookup` is a mapping, and this is a list"),
            ("{ table: { a: b } }", "`@lookup` has no `value`"),
            ("{ value: $.x, table: { a: $.y } }", "what stands in a `table` is the same for every record"),
            ("{ value: $.x, table: { a: { '@trim': $.y } } }", "what stands in a `table` is the same for every record"),
            ("{ value: $.x, table: { a: 1, A: 2 }, ignorecase: true }", "`A` is in the table already, but for its case"),
        ],
    );
}

#[test]
fn the_forms_and_zones_of_dates_are_tried_before_any_record() {
    let date = |from, to, zone: Option<&str>| one(Own::Date(Dating { from, to, zone: zone.map(Into::into) }), "x");
    assert_eq!(expr("{ '@date': $.x }"), date(Form::Iso, Form::Iso, None));
    assert_eq!(
        expr("{ '@date': { value: $.x, from: '%d/%m/%Y', to: unix_ms, zone: Europe/Oslo } }"),
        date(Form::Pattern("%d/%m/%Y".into()), Form::UnixMillis, Some("Europe/Oslo"))
    );
    assert_eq!(
        expr("{ '@date': { value: $.x, from: '%s', to: '%B' } }"),
        date(Form::Pattern("%s".into()), Form::Pattern("%B".into()), None)
    );
    let now = |to, zone: Option<&str>| Expr::Call { function: Function::Own(Own::Now { to, zone: zone.map(Into::into) }), args: vec![] };
    assert_eq!(expr("{ '@now': {} }"), now(Form::Iso, None));
    assert_eq!(expr("{ '@now': date }"), now(Form::Date, None));
    assert_eq!(expr("{ '@now': { to: unix, zone: Asia/Tokyo } }"), now(Form::Unix, Some("Asia/Tokyo")));
    refused(
        "@date",
        &[
            ("{ value: $.x, from: isoo }", "the `from` of `@date` is no form of a moment"),
            ("{ value: $.x, to: 5 }", "the `to` of `@date` is no form of a moment"),
            ("{ value: $.x, zone: Europe/Olso }", "the `zone` of `@date` is not the name of a time zone"), // typos: on purpose
        ],
    );
    refused("@now", &[("{ at: iso }", "`@now` has no key `at`"), ("5", "`@now` takes a mapping, and this is a number")]);
    let (_, _, problems) = read("{ '@date': { value: $.x, from: '%Y-%m' } }");
    assert!(problems[0].starts_with("no moment can be read by this pattern: "), "{problems:?}");
    let (_, _, problems) = read("{ '@date': { value: $.x, to: '%!' } }");
    assert!(problems[0].starts_with("no moment can be written by this pattern: "), "{problems:?}");
}

#[test]
fn a_split_and_a_join_say_what_stands_between() {
    assert_eq!(expr("{ '@split': { value: $.x, by: ',' } }"), one(Own::Split { by: ",".into(), trim: false, at: None }, "x"));
    let full = Own::Split { by: ", ".into(), trim: true, at: Some(-1) };
    assert_eq!(expr("{ '@split': { value: $.x, by: ', ', trim: true, at: -1 } }"), one(full, "x"));
    assert_eq!(expr("{ '@join': { values: $.x, by: '' } }"), one(Own::Join { by: String::new(), items: true }, "x"));
    let args = vec![Expr::Path(path(&["a"])), Expr::Literal(json!("b"))];
    let join = Expr::Call { function: Function::Own(Own::Join { by: " ".into(), items: false }), args };
    assert_eq!(expr("{ '@join': { values: [$.a, b], by: ' ' } }"), join);
    refused(
        "@split",
        &[
            ("{ value: $.x }", "`@split` has no `by`"),
            ("{ value: $.x, by: '' }", "the `by` of `@split` is text, and this is empty"),
            ("{ value: $.x, by: ',', at: first }", "the `at` of `@split` is a whole number, and this is text"),
            ("{ by: ',' }", "`@split` has no `value`"),
        ],
    );
    refused("@join", &[("{ values: [$.x] }", "`@join` has no `by`"), ("{ by: ',' }", "`@join` has no `values`")]);
}
