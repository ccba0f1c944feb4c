//! Actions with declared fields: constants apart from the payload, secrets nowhere, and literals of the wrong kind.

use outflow_contract::Op;
use outflow_contract::destination::{Action, Condition, Descriptor, Field, FieldKind, RequiredIf};
use outflow_contract::expr::{Columns, Expr, Path};
use outflow_planner::{Loaded, Options, Problems, load};
use serde_json::json;

use crate::support::{env, folder, shown};

const PROJECT: &str = r"version: 1
sources: { warehouse: { type: files, tables: { users: users.parquet } } }
models:
  users: { source: warehouse, table: users, id: id, timestamp: seen_at }
destinations:
  space: { type: space }
mappings:
  users_to_space:
    model: users
    destination: space
    action: send
    fields:
      FIELDS
";

fn descriptor() -> Descriptor {
    let field = |name: &str, kind| Field::new(name, kind, "A field of the tests.");
    let text = |name: &str| field(name, FieldKind::String);
    Descriptor {
        name: "space".into(),
        title: "Space".into(),
        description: "A destination of the tests.".into(),
        settings: vec![],
        actions: vec![Action {
            name: "send".into(),
            title: "Send".into(),
            description: "Sends.".into(),
            ops: Op::ALL.to_vec(),
            deletes: true,
            fields: Some(vec![
                text("key").required().constant().secret(),
                text("level").constant().choices(&["low", "high"]).default("low"),
                field("limit", FieldKind::Integer).constant(),
                text("user").required(),
                text("tags").multiple(),
                field("amount", FieldKind::Number),
                field("count", FieldKind::Integer),
                field("active", FieldKind::Boolean),
                field("traits", FieldKind::Object),
                field("place", FieldKind::Object).properties(vec![
                    text("city").required(),
                    text("zone").choices(&["north", "south"]),
                    field("latitude", FieldKind::Number),
                ]),
                text("reason").required_if(RequiredIf::All(vec![Condition::is("active", false), Condition::missing("tags")])),
                field("choice", FieldKind::Object).properties(vec![field("kinds", FieldKind::Object).required()]).open(),
                field("timestamp", FieldKind::Datetime).default(json!({"@path": "$.__timestamp"})),
            ]),
        }],
    }
}

fn try_load(project: &str) -> Result<Loaded, Problems> {
    let folder = folder(project);
    load(&Options { root: folder.path(), target: None, env: &env, descriptors: &[descriptor()] })
}

fn with(fields: &str) -> String {
    PROJECT.replace("FIELDS", fields)
}

/// The messages of a project with these fields.
fn messages(fields: &str) -> Vec<String> {
    match try_load(&with(fields)) {
        Ok(loaded) => loaded.warnings.iter().map(|problem| problem.message().to_owned()).collect(),
        Err(problems) => problems.0.iter().map(|problem| problem.message().to_owned()).collect(),
    }
}

#[test]
fn a_constant_is_no_part_of_the_payload_and_a_secret_one_is_written_down_nowhere() {
    let loaded = try_load(&with("{ key: '${env:CRM_TOKEN}', level: high, limit: 5, user: $.id }")).unwrap_or_else(|p| panic!("{p}"));
    assert!(loaded.warnings.is_empty());
    let mapping = &loaded.project.mappings[0];
    assert_eq!(mapping.constants.0, *json!({"key": "tok-123456", "level": "high", "limit": 5}).as_object().unwrap());
    assert_eq!(mapping.fields_written, json!({"level": "high", "limit": 5, "user": "$.id"}));
    let path = |name: &str| Expr::Path(Path { segments: vec![name.into()] });
    assert_eq!(mapping.fields, Expr::Object(vec![("user".into(), path("id")), ("timestamp".into(), path("seen_at"))]));
    assert_eq!(mapping.columns(), Columns::Named(vec!["id".into(), "seen_at".into()]));
    assert_eq!(loaded.project.redactor.clean("a tok-123456 b"), "a *** b");
    assert!(!format!("{:?}", loaded.project).contains("tok-123456"));
}

#[test]
fn a_constant_has_its_default_and_takes_numbers_for_text() {
    let loaded = try_load(&with("{ key: 12345678, user: $.id }")).unwrap_or_else(|p| panic!("{p}"));
    let mapping = &loaded.project.mappings[0];
    assert_eq!(mapping.constants.0, *json!({"key": "12345678", "level": "low"}).as_object().unwrap());
    assert_eq!(loaded.warnings[0].message(), "field `key` of mapping `users_to_space` is a secret, and it stands in the project file");
    let shown = shown(&loaded.warnings);
    assert!(!shown.contains("12345678"), "{shown}");
    assert_eq!(loaded.project.redactor.clean("12345678"), "***");
}

#[test]
fn a_constant_that_is_no_plain_value_is_refused_and_not_shown() {
    for value in ["$.secret_path", "{ '@path': $.secret_path }", "[secret_path]", "{ a: secret_path }", "{ '@literal': secret_path }"] {
        let problems = try_load(&with(&format!("{{ key: {value}, user: $.id }}"))).err().unwrap();
        let message = problems.0[0].message();
        assert!(message.starts_with("field `key` of mapping `users_to_space` is the same for every record"), "{message}");
        assert_eq!(problems.0.len(), 1, "{problems}");
        assert!(!shown(&problems.0).contains("secret_path") || value.starts_with("$."), "{}", shown(&problems.0));
    }
}

#[test]
fn what_is_missing_or_unknown_or_not_among_the_choices_is_said_of_constants_too() {
    let of = |what: &str| format!("{what} of mapping `users_to_space`");
    assert_eq!(messages("{ user: $.id }"), ["mapping `users_to_space` does not map the field `key`, which action `send` requires"]);
    assert_eq!(messages("{ key: '${env:CRM_TOKEN}', user: $.id, level: mid }"), [of("field `level`") + " cannot be `mid`"]);
    assert_eq!(
        messages("{ key: '${env:CRM_TOKEN}', user: $.id, limit: many }"),
        [of("field `limit`") + " takes a whole number, and this is text"]
    );
    let problems = try_load(&with("{ kye: misspelt-secret, user: $.id }")).err().unwrap();
    assert_eq!(problems.errors(), 1, "{problems}");
    assert!(!shown(&problems.0).contains("misspelt-secret"), "{}", shown(&problems.0));
}

#[test]
fn literals_of_the_wrong_kind_are_refused_wherever_they_stand() {
    let wrong = |fields: &str| {
        let messages = messages(&format!("{{ key: '${{env:CRM_TOKEN}}', user: $.id, {fields} }}"));
        messages.join("; ").replace(" of mapping `users_to_space`", "")
    };
    for (fields, expected) in [
        ("tags: { a: 1 }", "field `tags` takes text, and this is a mapping"),
        ("tags: [a, [b, c]]", "field `tags` takes text, and this is a list"),
        ("amount: lots", "field `amount` takes a number, and this is `lots`"),
        ("count: 1.5", "field `count` takes a whole number, and this is `1.5`"),
        ("active: maybe", "field `active` takes true or false, and this is `maybe`"),
        ("traits: pro", "field `traits` takes a mapping, and this is `pro`"),
        ("traits: [1]", "field `traits` takes a mapping, and this is a list"),
        ("place: { city: $.c, latitude: north }", "field `place.latitude` takes a number, and this is `north`"),
        ("place: { city: $.c, zone: east }", "field `place.zone` cannot be `east`"),
        ("place: { latitude: 1 }", "mapping `users_to_space` does not map the field `place.city`, which action `send` requires"),
        ("place: { city: $.c, town: $.t }", "mapping `users_to_space` maps to field `place.town`, which action `send` does not have"),
        ("timestamp: true", "field `timestamp` takes a moment, as text or number, and this is true or false"),
        ("timestamp: someday", "field `timestamp` takes a moment, as text or number, and this is `someday`"),
    ] {
        assert_eq!(wrong(fields), expected, "{fields}");
    }
    for fields in
        ["tags: a", "tags: [a, 1, $.x]", "amount: ' 1.5 '", "amount: true", "count: '1e3'", "active: 1", "active: [true]", "user: [$.x]"]
    {
        let fields = if fields.starts_with("user") { "traits: { a: [1] }" } else { fields };
        assert_eq!(wrong(fields), "", "{fields}");
    }
}

#[test]
fn a_field_that_some_records_need_is_missed_where_the_mapping_says_that_all_are_such() {
    let messages = |fields: &str| messages(&format!("{{ key: '${{env:CRM_TOKEN}}', user: $.id, {fields} }}"));
    let missed = "mapping `users_to_space` does not map the field `reason`, which action `send` requires where `active` is false and \
                  there is no `tags`";
    assert_eq!(messages("active: false"), [missed]);
    assert_eq!(messages("active: false, tags: null"), [missed]);
    // What differs from record to record is asked of each.
    for fields in ["active: false, reason: $.why", "active: false, tags: $.tags", "active: $.active", "active: true", "limit: 1"] {
        assert_eq!(messages(fields), Vec::<String>::new(), "{fields}");
    }
}

#[test]
fn the_timestamp_is_quietly_missing_as_a_default_and_loudly_as_a_path() {
    let without = with("{ key: '${env:CRM_TOKEN}', user: $.id }").replace(", timestamp: seen_at", "");
    let loaded = try_load(&without).unwrap_or_else(|p| panic!("{p}"));
    assert_eq!(loaded.project.mappings[0].fields, Expr::Object(vec![("user".into(), Expr::Path(Path { segments: vec!["id".into()] }))]));
    let asked = with("{ key: '${env:CRM_TOKEN}', user: $.id, timestamp: $.__timestamp }").replace(", timestamp: seen_at", "");
    let problems = try_load(&asked).err().unwrap();
    assert_eq!(problems.0[0].message(), "`$.__timestamp` is the model's timestamp column, and model `users` names none");
    assert!(problems.0[0].position().is_some());
}

#[test]
fn an_open_object_may_have_more_members_but_not_fewer() {
    let of = |choice: &str| messages(&format!("{{ key: '${{env:CRM_TOKEN}}', user: $.id, choice: {choice} }}"));
    assert_eq!(of("{ kinds: { a: $.a }, more: 1 }"), Vec::<String>::new());
    assert_eq!(of("$.choice"), Vec::<String>::new());
    assert_eq!(of("{ more: 1 }"), ["mapping `users_to_space` does not map the field `choice.kinds`, which action `send` requires"]);
}
